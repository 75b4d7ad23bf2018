// Looking: a folder in both languages, on a phone and a wide screen, with scripts and without.

import assert from "node:assert/strict";
import test from "node:test";
import { Drawer, VIEWS, follow, names, rows, visit } from "./harness.mjs";

const files = { "b.txt": "bb", "a b.txt": "a", "Fotos/x.png": "png", "é.md": "# É\n", "vazia/": "" };

test("a folder is shown in the language of whoever looks, and the switch holds", async () => {
  const drawer = await Drawer.open(files);
  for (const { lang, width } of VIEWS) {
    const page = await visit(drawer, { lang, width });
    assert.deepEqual(await names(page), ["Fotos", "a b.txt", "b.txt", "vazia", "é.md"]);
    assert.equal(await page.getAttribute("html", "lang"), lang);
    await follow(page, () => page.getByRole("link", { name: lang === "en" ? "Size" : "Tamanho" }).click());
    assert.equal((await names(page)).at(-1), "é.md");
    await follow(page, () => page.getByRole("link", { name: "Fotos", exact: true }).click());
    assert.deepEqual(await names(page), ["x.png"]);
    await follow(page, () => page.getByRole("button", { name: lang === "en" ? "Português" : "English" }).click());
    assert.equal(await page.getAttribute("html", "lang"), lang === "en" ? "pt-BR" : "en");
    assert.ok(page.url().endsWith("/Fotos/"), page.url());
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the screen");
    assert.deepEqual(page.troubles, []);
    assert.deepEqual(page.outside, []);
  }
});

test("without scripts one can look, get, send, make, rename and delete", async () => {
  const drawer = await Drawer.open(files);
  for (const lang of ["en", "pt-BR"]) {
    const page = await visit(drawer, { lang, script: false, admin: true });
    await page.locator("#send summary").click();
    await page.locator("#files").setInputFiles([{ name: "new.txt", mimeType: "text/plain", buffer: Buffer.from(lang) }]);
    await page.locator("#send form button").click();
    assert.ok((await names(page)).some((name) => name.startsWith("new")), await names(page));
    await page.locator("#new summary").click();
    await page.locator("#new-name").fill(`folder ${lang}`);
    await page.locator("#new form button").click();
    await page.getByRole("checkbox", { name: `folder ${lang}` }).check();
    await page.locator("button[value=rename]").click();
    await page.locator("#to").fill(`other ${lang}`);
    await page.locator(".card button.primary").click();
    assert.ok((await names(page)).includes(`other ${lang}`));
    await page.getByRole("checkbox", { name: `other ${lang}` }).check();
    await page.locator("button[value=delete]").click();
    await page.locator(".card button.danger").click();
    assert.ok(!(await names(page)).includes(`other ${lang}`));
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: /ZIP/ }).click();
    assert.equal((await download).suggestedFilename(), "gaveta.zip");
    const answer = await page.goto(`${drawer.url}/nothing-here`);
    assert.equal(answer.status(), 404);
    assert.ok(await page.getByRole("link", { name: lang === "en" ? "To the start" : "Ir ao início" }).isVisible());
  }
  const digests = await drawer.digests();
  assert.ok(digests["new.txt"] && digests["new (2).txt"] && digests["new.txt"] !== digests["new (2).txt"]);
});

test("a list of 3,000 grows as one scrolls, is filtered, and one searches below it", async () => {
  const drawer = await Drawer.open(Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`many/${String(i).padStart(4, "0")}.txt`, ""])));
  await drawer.fill({ "many/deep/er/Needle.txt": "x" });
  const page = await visit(drawer, { path: "/many/" });
  await rows(page, 1000);
  for (const count of [2000, 3000, 3001]) {
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await rows(page, count);
  }
  await page.getByPlaceholder("Filter this list").fill("299 txt");
  assert.equal((await names(page)).length, 13);
  await page.getByPlaceholder("Search by name").fill("needle");
  await follow(page, () => page.keyboard.press("Enter"));
  assert.deepEqual(await names(page), ["deep/er/Needle.txt"]);
  assert.deepEqual(page.troubles, []);
});

test("100,000 entries: the first rows are there before the list has ended", async () => {
  const drawer = await Drawer.open();
  const { open } = await import("node:fs/promises");
  const { mkdir } = await import("node:fs/promises");
  await mkdir(`${drawer.folder}/huge`);
  for (let i = 0; i < 100_000; i += 500) {
    await Promise.all(Array.from({ length: 500 }, async (_, j) => (await open(`${drawer.folder}/huge/${String(i + j).padStart(6, "0")}`, "w")).close()));
  }
  const page = await visit(drawer, { path: "/huge/" });
  await rows(page, 1000);
  await follow(page, () => page.getByRole("link", { name: "Name" }).click());
  assert.equal((await names(page))[0], "099999");
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await rows(page, 2000);
});
