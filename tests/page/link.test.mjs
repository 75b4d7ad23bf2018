// What somebody sees who was sent a link: a file, a folder, a place to drop files; with a password, and
// with scripts and without.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { Drawer, VIEWS, share, visit } from "./harness.mjs";

const files = { "docs/relatório.txt": "the report", "docs/deep/inner.txt": "inner", "top.txt": "top" };

async function fits(page) {
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `wider than the screen: ${page.url()}`);
  for (const box of await page.locator(".card input, .card a, .card button").all()) {
    const { x, width } = await box.boundingBox();
    const edge = await page.locator(".card").evaluate((card) => card.getBoundingClientRect().right);
    assert.ok(x + width <= edge, `beyond its card: ${await box.evaluate((element) => element.outerHTML)}`);
  }
  assert.deepEqual(page.troubles, []);
  assert.deepEqual(page.outside, []);
}

/** Gets what a press leads to. */
async function got(page, press) {
  const [download] = await Promise.all([page.waitForEvent("download"), press()]);
  return readFile(await download.path(), "utf8");
}

test("a file and a folder are got, in both languages and widths", async () => {
  const drawer = await Drawer.open(files);
  const file = await share(drawer, { path: "docs/relatório.txt", seconds: 3600 });
  const folder = await share(drawer, { path: "docs" });
  for (const view of VIEWS) {
    const english = view.lang === "en";
    const page = await visit(drawer, { ...view, path: file.page });
    await page.getByRole("heading", { name: "relatório.txt" }).waitFor();
    await page.getByText(english ? "Available until" : "Disponível até").waitFor();
    await fits(page);
    assert.equal(await got(page, () => page.getByRole("link", { name: english ? "Download" : "Baixar" }).click()), "the report");

    await page.goto(drawer.url + folder.page);
    await page.getByRole("link", { name: "deep" }).click();
    await page.getByRole("link", { name: "inner.txt" }).waitFor();
    await fits(page);
    await page.getByRole("link", { name: english ? "Up" : "Acima" }).click();
    await page.getByRole("link", { name: "relatório.txt" }).waitFor();
    await fits(page);
    assert.equal(await page.getByText("top.txt").count(), 0);
    // From here no link leads into the drawer.
    for (const link of await page.locator("a[href]").all()) {
      const href = await link.getAttribute("href");
      assert.ok(href.startsWith("#") || href.startsWith("./"), href);
    }
    await page.goto(`${drawer.url}/.gaveta/s/gvs_nothing/`);
    await page.getByText(english ? "This link leads nowhere" : "Este link não leva a lugar nenhum").waitFor();
    await fits(page);
  }
});

test("files are dropped, with scripts and without, and what came is said", async () => {
  const drawer = await Drawer.open(files);
  const { page: at } = await share(drawer, { path: "docs", way: "drop" });
  for (const view of VIEWS) {
    for (const script of [true, false]) {
      const page = await visit(drawer, { ...view, script, path: at });
      assert.equal(await page.getByText("relatório").count(), 0);
      if (script) await fits(page);
      await page.locator("#file").setInputFiles([{ name: "relatório.txt", mimeType: "text/plain", buffer: Buffer.from(`${view.lang} ${view.width} ${script}`) }]);
      await page.locator(".card button").click();
      await page.getByRole("status").getByText("relatório.txt").waitFor();
      if (script) await fits(page);
    }
  }
  const there = await drawer.digests("docs");
  assert.equal(Object.keys(there).length, 2 + 8);
  assert.equal(await readFile(`${drawer.folder}/docs/relatório.txt`, "utf8"), "the report");
  assert.equal(await readFile(`${drawer.folder}/docs/relatório (9).txt`, "utf8"), "en 1440 false");
});

test("the password of a link is asked for by the browser, and lets in", async () => {
  const drawer = await Drawer.open(files);
  const locked = await share(drawer, { path: "docs/relatório.txt", password: "aberta" });
  // Whoever closes the question sees a page; a browser without a window cannot ask, so this asks for it.
  const told = async (/** @type {Record<string, string>} */ fields) => {
    const answer = await fetch(drawer.url + locked.page, { headers: { Accept: "text/html", "Sec-Fetch-Site": "none", ...fields } });
    assert.equal(answer.status, 401);
    return answer.text();
  };
  assert.match(await told({}), /This link asks for a password/);
  assert.match(await told({ Authorization: `Basic ${Buffer.from(":fechada").toString("base64")}` }), /That is not the password of this link/);
  const page = await visit(drawer, { path: locked.page, credentials: { username: "", password: "aberta" } });
  await page.getByRole("heading", { name: "relatório.txt" }).waitFor();
  assert.equal(await got(page, () => page.getByRole("link", { name: "Download" }).click()), "the report");
});
