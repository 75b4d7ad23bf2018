// Pictures of the main views, for the documentation: GAVETA=… node pictures.mjs FOLDER

import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { ADMIN, Drawer, follow, row, visit } from "./harness.mjs";

const to = process.argv[2] ?? process.env.PICTURES ?? ".";
const icon = await readFile(new URL("../../crates/server/assets/icon-512.png", import.meta.url));
const notes = await readFile(new URL("../../README.pt-BR.md", import.meta.url));

function files() {
  const of = (size) => Buffer.alloc(size, 120);
  return {
    "Documentos/carta.odt": of(9000), "Fotos/praia.png": icon, "Projetos/casa/": "", "aniversário.mp3": of(5_300_000), "backup.tar.gz": of(41_000_000),
    "leia-me.md": notes, "marca.png": icon, "orçamento.xlsx": of(84_000), "relatório 2026.pdf": of(2_400_000), "receitas.txt": of(3100), "servidor.rs": of(12_000), "viagem.mp4": of(78_000_000),
  };
}

test("pictures", async () => {
  const drawer = await Drawer.open(files());
  const page = await visit(drawer, { lang: "en", width: 1120, admin: true });
  await page.setViewportSize({ width: 1120, height: 760 });
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 1, downloadThroughput: -1, uploadThroughput: 3 * 1024 * 1024 });
  await page.evaluate(() => {
    const data = new DataTransfer();
    for (const [name, size] of /** @type {[string, number][]} */ ([["férias 1.jpg", 700_000], ["férias 2.jpg", 500_000], ["férias.mov", 48_000_000], ["música.flac", 31_000_000]])) data.items.add(new File([new Uint8Array(size)], name));
    dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await page.locator(".sending .done").nth(1).waitFor();
  await page.waitForTimeout(2500);
  await row(page, "marca.png").getByRole("checkbox").check();
  await row(page, "leia-me.md").getByRole("checkbox").check();
  await page.screenshot({ path: join(to, "page.png") });
  await page.context().close();

  const phone = await visit(drawer, { lang: "pt-BR", width: 390, dark: true });
  await phone.screenshot({ path: join(to, "page-phone.png") });
  await phone.context().close();

  const share = await visit(drawer, { lang: "pt-BR", width: 390, dark: true, admin: true });
  await row(share, "Fotos").getByRole("checkbox").check();
  await share.locator("[data-act=share]").click();
  await share.locator("#share .primary").click();
  await share.locator(".qr").waitFor();
  await share.screenshot({ path: join(to, "page-share.png") });
  await share.context().close();

  const look = await visit(drawer, { lang: "pt-BR", width: 1120 });
  await look.setViewportSize({ width: 1120, height: 760 });
  await row(look, "leia-me.md").getByRole("link").click();
  await look.waitForTimeout(700);
  await look.screenshot({ path: join(to, "page-look.png") });

  const admin = await visit(drawer, { lang: "en", width: 1120, admin: true, path: "/.gaveta/admin" });
  await admin.setViewportSize({ width: 1120, height: 1000 });
  for (let i = 0; i < 9; i += 1) {
    await fetch(`${drawer.url}/event%20${i % 3}.bin`, { method: "PUT", headers: { Authorization: ADMIN }, body: new Uint8Array(2_000_000 * ((i * 5) % 7 + 1)) });
    if (i % 2) await fetch(`${drawer.url}/viagem.mp4`).then((answer) => answer.arrayBuffer());
    await admin.waitForTimeout(2050);
  }
  // Somebody sends, and does not hurry.
  const slow = request({ host: "localhost", port: drawer.port, method: "PUT", path: "/f%C3%A9rias%202026.mp4", headers: { Authorization: ADMIN, "Content-Length": 90_000_000, "User-Agent": "curl/8.14.1" } });
  slow.on("error", () => {});
  slow.write(Buffer.alloc(31_000_000));
  await admin.locator("#connected li", { hasText: "férias 2026.mp4" }).waitFor();
  await admin.waitForTimeout(2500);
  await admin.screenshot({ path: join(to, "page-admin.png") });
  const pocket = await visit(drawer, { lang: "pt-BR", width: 390, dark: true, admin: true, path: "/.gaveta/admin" });
  await pocket.waitForTimeout(4500);
  await pocket.screenshot({ path: join(to, "page-admin-phone.png") });
  slow.destroy();

  const accounts = await visit(drawer, { lang: "en", width: 1120, admin: true, path: "/.gaveta/admin/accounts" });
  await accounts.setViewportSize({ width: 1120, height: 760 });
  for (const [name, at, what] of [["ana", "/", "editor"], ["joão", "/Fotos", "contributor"], ["visita", "/Documentos", "viewer"]]) {
    await accounts.locator("#new-account").fill(name);
    await accounts.locator("#new-password").fill("a long enough one");
    await accounts.locator("#new-at").fill(at);
    await accounts.locator("#new-what").selectOption(what);
    await follow(accounts, () => accounts.locator("button.primary").click());
    await accounts.goto(`${drawer.url}/.gaveta/admin/accounts`);
  }
  await accounts.screenshot({ path: join(to, "page-accounts.png") });
});
