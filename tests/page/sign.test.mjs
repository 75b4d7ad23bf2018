// Who looks: signing in and out, a sign-in that ends in the middle of sending, the administrator's
// corner.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { ADMIN, Drawer, PASSWORD, VIEWS, digests, drop, ready, sent, underWay, visit } from "./harness.mjs";

const base = await mkdtemp(join(tmpdir(), "gaveta-page-sign-"));
after(() => rm(base, { recursive: true, force: true }));

test("one signs in, is led back, and signs out; a wrong password is said on a page", async () => {
  const drawer = await Drawer.open({ "d/a.txt": "a" });
  for (const view of VIEWS) {
    const english = view.lang === "en";
    const page = await visit(drawer, { ...view, path: "/d/" });
    assert.equal(await page.locator("[data-act=delete]").count(), 0);
    await page.locator(".account a").click();
    await page.locator("#name").fill("admin");
    await page.locator("#password").fill("wrong");
    await page.locator(".card button").click();
    await page.getByText(english ? "Check the name and the password" : "Confira o nome e a senha").waitFor();
    await page.goto(`${drawer.url}/.gaveta/sign-in?back=%2Fd%2F`);
    await page.locator("#name").fill("admin");
    await page.locator("#password").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/d/");
    await ready(page);
    assert.equal(await page.locator("[data-act=delete]").count(), 1);
    await page.getByRole("button", { name: english ? "Sign out" : "Sair" }).click();
    await page.waitForURL(`${drawer.url}/`);
    await ready(page);
    assert.equal(await page.locator("[data-act=delete]").count(), 0);
  }
});

test("a sign-in that ends in the middle of sending is asked for again, and the file goes on", async () => {
  const file = join(base, "long.bin");
  await writeFile(file, randomBytes(40 * 1024 * 1024));
  const drawer = await Drawer.open();
  const page = await visit(drawer, { admin: true });
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 1, downloadThroughput: -1, uploadThroughput: 6 * 1024 * 1024 });
  await drop(page, [file]);
  await underWay(page, { bytes: 8 * 1024 * 1024 });
  // A server that was started again knows no sign-in of before.
  await drawer.kill();
  await drawer.start();
  await page.getByText("The sign-in has ended").waitFor();
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  const offsets = [];
  page.on("request", (request) => request.method() === "PATCH" && offsets.push(Number(request.headers()["upload-offset"])));
  await page.locator(".tray").getByRole("button", { name: "Sign in" }).click();
  await page.locator("#again-password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await sent(page);
  assert.ok(offsets[0] > 0, `it began at ${offsets[0]}`);
  assert.equal((await drawer.digests())["long.bin"], (await digests(base))["long.bin"]);
});

test("the administrator sees what travels and what is under way, and ends it; nobody else does", async () => {
  const drawer = await Drawer.open();
  for (const at of ["admin", "connected"]) assert.equal((await fetch(`${drawer.url}/.gaveta/${at}`, { headers: { Accept: "text/html" } })).status, 401);
  for (const view of VIEWS) {
    const english = view.lang === "en";
    const begun = await fetch(`${drawer.url}/.gaveta/uploads`, { method: "POST", headers: { "Gaveta-Target": "/half.bin", "Upload-Length": "1000000" } });
    assert.equal(begun.status, 201);
    const page = await visit(drawer, { ...view, admin: true, path: "/.gaveta/admin" });
    await page.getByText("/half.bin").waitFor();
    await fetch(`${drawer.url}/new.txt`, { method: "PUT", body: "x" });
    await page.locator("#events li", { hasText: "/new.txt" }).first().waitFor();
    await page.locator("#graph polyline[points]").first().waitFor({ state: "attached" });
    await page.getByRole("button", { name: english ? "End" : "Encerrar" }).click();
    await page.getByText(english ? "None." : "Nenhum.").waitFor();
    // Who is connected: this page's own session, and whoever comes and goes while it is looked at.
    await page.locator("#connected li", { hasText: "admin" }).filter({ hasText: "Chrome" }).getByText(english ? "an open page or shell" : "uma página ou um terminal aberto").first().waitFor();
    const sending = request({ host: "localhost", port: drawer.port, method: "PUT", path: "/%C3%A9%20sl%E2%80%AEow.bin", headers: { "Content-Length": 3_000_000, "User-Agent": "<b>slow</b>/1.0" } });
    sending.on("error", () => {});
    sending.write(Buffer.alloc(2_000_000));
    const guest = page.locator("#connected li", { hasText: "/é sl\\u{202e}ow.bin" });
    await guest.getByText(english ? "received: 2.0 MB" : "recebido: 2,0 MB").waitFor();
    for (const words of ["PUT", english ? "not signed in" : "não entrou", "127.0.0.1", "<b>slow</b>/1.0"]) await guest.getByText(words).first().waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the screen");
    sending.destroy();
    await guest.waitFor({ state: "detached" });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the screen");
    assert.deepEqual(page.troubles, []);
    await (await fetch(`${drawer.url}/.gaveta/command`, { method: "POST", headers: { "Content-Type": "application/json", Authorization: ADMIN }, body: JSON.stringify({ id: 1, do: "delete", path: "new.txt" }) })).text();
  }
});
