// Beneath a prefix, behind a proxy that serves other sites beside: everything works, and nothing is
// asked for elsewhere.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { Drawer, digests, drop, follow, row, sent, visit } from "./harness.mjs";

const base = await mkdtemp(join(tmpdir(), "gaveta-page-beneath-"));
after(() => rm(base, { recursive: true, force: true }));

const pixel = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

test("one signs in, looks, sends, renames, gets and searches, all beneath the prefix", async () => {
  await writeFile(join(base, "big.bin"), randomBytes(3 * 1024 * 1024));
  const drawer = await Drawer.beneath("/in/files", { "d/a.txt": "a", "d/b.md": "# beneath", "d/c.png": pixel, "e/": "" });
  const page = await visit(drawer, { admin: true });
  await follow(page, () => row(page, "d").getByRole("link").click());
  assert.equal(page.url(), `${drawer.url}/d/`);

  await drop(page, [join(base, "big.bin")]);
  await sent(page);
  await row(page, "big.bin").waitFor();
  assert.equal((await drawer.digests("d"))["big.bin"], (await digests(base))["big.bin"]);

  await row(page, "a.txt").getByRole("checkbox").check();
  await page.locator("[data-act=rename]").click();
  await page.keyboard.type("renamed");
  await page.keyboard.press("Enter");
  await row(page, "renamed.txt").waitFor();

  // What another does appears by itself: the session is beneath the prefix too.
  await fetch(`${drawer.url}/d/another.txt`, { method: "PUT", body: "x" });
  await row(page, "another.txt").waitFor();

  await row(page, "b.md").getByRole("link").click();
  await page.frameLocator("dialog iframe").getByRole("heading", { name: "beneath" }).waitFor();
  await page.keyboard.press("Escape");
  await row(page, "c.png").getByRole("link").click();
  await page.waitForFunction(() => document.querySelector("dialog img")?.naturalWidth === 1);
  await page.keyboard.press("Escape");

  await page.locator("thead").getByRole("checkbox").uncheck();
  await row(page, "b.md").getByRole("checkbox").check();
  await row(page, "c.png").getByRole("checkbox").check();
  const [archive] = await Promise.all([page.waitForEvent("download"), page.locator("[data-act=get]").click()]);
  assert.equal(new URL(archive.url()).pathname, "/in/files/.gaveta/zip/d/");
  await archive.delete();

  await page.locator(".search input[name=q]").fill("renamed");
  await follow(page, () => page.keyboard.press("Enter"));
  assert.equal(await page.locator("#rows a").first().getAttribute("href"), "/in/files/d/renamed.txt");

  await follow(page, () => page.getByRole("button", { name: "Português" }).click());
  assert.ok(page.url().startsWith(`${drawer.url}/.gaveta/search?`), page.url());
  assert.equal(await page.locator("html").getAttribute("lang"), "pt-BR");

  await page.goto(`${drawer.url}/.gaveta/admin`);
  await page.locator("#graph polyline[points]").first().waitFor({ state: "attached" });
  await follow(page, () => page.locator(".account button").click());
  assert.equal(page.url(), `${drawer.url}/`);

  assert.deepEqual(page.outside, []);
  assert.deepEqual(page.troubles, []);
  assert.deepEqual(drawer.astray.filter((url) => url !== "/favicon.ico"), []);
});
