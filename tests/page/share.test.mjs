// Links that let others in: made in front of the list or without scripts, copied, read by a phone,
// followed, ended.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { promisify } from "node:util";
import { Drawer, VIEWS, follow, row, visit } from "./harness.mjs";

const base = await mkdtemp(join(tmpdir(), "gaveta-page-share-"));
after(() => rm(base, { recursive: true, force: true }));

/** What a phone reads in the picture; nothing where there is no program that reads. */
async function seen(page) {
  if (!process.env.ZBARIMG) return null;
  const picture = join(base, "qr.png");
  await page.locator(".qr").screenshot({ path: picture });
  const { stdout } = await promisify(execFile)(process.env.ZBARIMG, ["--quiet", "--raw", picture]);
  return stdout.trim();
}

/** Presses Tab until this has the focus. */
async function tabTo(page, selector) {
  for (let i = 0; i < 60; i += 1) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`no way to ${selector} by Tab`);
}

async function narrow(page) {
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the screen");
  const inside = await page.evaluate(() => { const dialog = document.querySelector("dialog"); return !dialog || dialog.scrollWidth <= dialog.clientWidth; });
  assert.ok(inside, "the dialog is wider than it shows");
}

test("by the keyboard alone a link is made, copied, read by a phone, followed by others and ended", async () => {
  const drawer = await Drawer.open({ "a.txt": "shared", "b.txt": "b" });
  for (const [i, view] of VIEWS.entries()) {
    const english = view.lang === "en";
    const page = await visit(drawer, { ...view, admin: true, dark: i % 2 === 0 });
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await tabTo(page, "#rows a");
    await page.keyboard.press("Space");
    await tabTo(page, "[data-act=share]");
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: english ? "Share" : "Compartilhar" });
    await dialog.waitFor();
    await dialog.getByText("a.txt").waitFor();
    await narrow(page);
    await tabTo(page, "#share-limit");
    await page.keyboard.type("1");
    await page.keyboard.press("Enter");
    await dialog.locator(".qr").waitFor();
    await narrow(page);
    // The way to take it along has the focus.
    await page.waitForFunction(() => document.activeElement?.matches(".copy button"));
    await page.keyboard.press("Enter");
    await dialog.getByText(english ? "Link copied." : "Link copiado.").waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.ok(link.startsWith(`${drawer.url}/.gaveta/s/`), link);
    assert.ok(link.endsWith("/a.txt"), link);
    const read = await seen(page);
    if (read !== null) assert.equal(read, link);
    assert.equal(await (await fetch(link)).text(), "shared");
    assert.equal((await fetch(link)).status, 403, "once only");
    await tabTo(page, ".another");
    await page.keyboard.press("Enter");
    await dialog.locator("#share-lasts").waitFor();
    await dialog.getByText(english ? "used 1 of 1 times" : "usado 1 de 1 vezes").waitFor();
    assert.equal(await page.getByText(link).count(), 0, "it is shown only once");
    await tabTo(page, "dialog [name=end]");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !document.querySelector("dialog [name=end]"));
    assert.equal((await fetch(link)).status, 404);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.ok(await page.evaluate(() => document.activeElement?.matches("[data-act=share]")), "the focus is where it was");
    assert.deepEqual(page.troubles, []);
    assert.deepEqual(page.outside, []);
    await page.context().close();
  }
});

test("a folder takes what others send by a link with a password; what is refused is said in the dialog", async () => {
  const drawer = await Drawer.open({ "box/kept.txt": "kept", "gone.txt": "x" });
  const page = await visit(drawer, { admin: true });
  await row(page, "box").getByRole("checkbox").check();
  await page.locator("[data-act=share]").click();
  await page.getByRole("radio", { name: /send files/ }).check();
  await page.getByLabel("Password").fill("a secret & more");
  await page.getByRole("button", { name: "Make the link" }).click();
  const link = await page.locator("#share-link").inputValue();
  const put = (headers) => fetch(`${link}sent.txt`, { method: "PUT", body: "sent", headers });
  assert.equal((await put({})).status, 401);
  assert.equal((await put({ Authorization: `Basic ${Buffer.from("x:a secret & more").toString("base64")}` })).status, 201);
  assert.deepEqual(Object.keys(await drawer.digests("box")).sort(), ["kept.txt", "sent.txt"]);
  await page.keyboard.press("Escape");

  await row(page, "box").getByRole("checkbox").uncheck();
  await row(page, "gone.txt").getByRole("checkbox").check();
  await page.locator("[data-act=share]").click();
  await page.locator("#share-lasts").waitFor();
  await rm(join(drawer.folder, "gone.txt"));
  await page.getByRole("button", { name: "Make the link" }).click();
  await page.getByRole("dialog").getByRole("alert").waitFor();
  assert.equal(await page.locator("#share-link").count(), 0);
  await page.keyboard.press("Escape");

  // Several at once have no link; the folder that is looked at has its own button.
  await row(page, "box").getByRole("checkbox").check();
  await fetch(`${drawer.url}/other.txt`, { method: "PUT", body: "x" });
  await row(page, "other.txt").getByRole("checkbox").check();
  assert.ok(await page.locator("[data-act=share]").isHidden());
  await page.locator("#share-folder").click();
  await page.getByRole("dialog").getByText("Drawer").waitFor();
  await page.getByRole("button", { name: "Make the link" }).click();
  const whole = await page.locator("#share-link").inputValue();
  assert.equal((await fetch(`${whole}box/kept.txt`)).status, 200);
  assert.deepEqual(page.troubles, []);
});

test("without scripts a link is made, shown with its code, and ended; visitors are offered none", async () => {
  const drawer = await Drawer.open({ "a b.txt": "shared" });
  for (const view of VIEWS) {
    const english = view.lang === "en";
    const visitor = await visit(drawer, { ...view, script: false });
    assert.equal(await visitor.getByText(english ? "Share" : "Compartilhar").count(), 0);
    await visitor.context().close();
    const page = await visit(drawer, { ...view, script: false, admin: true });
    await row(page, "a b.txt").getByRole("checkbox").check();
    await page.locator("[data-act=share]").click();
    await page.locator("#share-lasts").selectOption("");
    await page.locator("#share button.primary").click();
    const link = await page.locator("#share-link").inputValue();
    const read = await seen(page);
    if (read !== null) assert.equal(read, link);
    assert.equal(await (await fetch(link)).text(), "shared");
    await page.locator(".another").click();
    await page.getByText(english ? "used once" : "usado uma vez").waitFor();
    await page.locator("[name=end]").click();
    await page.locator("#share-lasts").waitFor();
    assert.equal(await page.locator("[name=end]").count(), 0);
    assert.equal((await fetch(link)).status, 404);
    await page.context().close();
  }
});

test("beneath a prefix the link has it too", async () => {
  const drawer = await Drawer.beneath("/in/files", { "a.txt": "shared" });
  const page = await visit(drawer, { admin: true });
  await row(page, "a.txt").getByRole("checkbox").check();
  await page.locator("[data-act=share]").click();
  await page.getByRole("button", { name: "Make the link" }).click();
  const link = await page.locator("#share-link").inputValue();
  assert.ok(link.startsWith(`${drawer.url}/.gaveta/s/`), link);
  assert.equal(await (await fetch(link)).text(), "shared");
  await page.goto(`${drawer.url}/.gaveta/admin/links`);
  await follow(page, () => page.locator("[name=end]").click());
  assert.equal((await fetch(link)).status, 404);
  assert.deepEqual([page.troubles, drawer.astray.filter((at) => !at.includes("favicon"))], [[], []]);
});
