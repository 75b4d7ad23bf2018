// Work: rename in place, move, copy, delete, new folders; what others do appears by itself; the
// keyboard alone.

import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import test from "node:test";
import { Drawer, VIEWS, names, ready, row, rows, visit } from "./harness.mjs";

const files = { "a.txt": "a", "b.txt": "b", "c.txt": "c", "one/x.txt": "x", "two/": "" };
const there = (drawer, path) => stat(`${drawer.folder}/${path}`).then(() => true, () => false);

test("rename, move, copy, delete and make, in both languages and widths", async () => {
  for (const view of VIEWS) {
    const english = view.lang === "en";
    const drawer = await Drawer.open(files);
    const page = await visit(drawer, { ...view, admin: true });
    const act = (word) => page.locator(`[data-act=${word}]`).click();

    await row(page, "a.txt").getByRole("checkbox").check();
    await act("rename");
    await page.keyboard.type("renamed");
    await page.keyboard.press("Enter");
    await row(page, "renamed.txt").waitFor();

    await row(page, "b.txt").getByRole("checkbox").check();
    await act("move");
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "one", exact: true }).click();
    await dialog.getByText(english ? "No folders in here." : "Não há pastas aqui dentro.").waitFor();
    await dialog.getByRole("button", { name: english ? "Move here" : "Mover para cá" }).click();
    await row(page, "b.txt").waitFor({ state: "detached" });
    assert.ok(await there(drawer, "one/b.txt"));

    await row(page, "one").getByRole("checkbox").check();
    await act("copy");
    await dialog.getByRole("button", { name: "two", exact: true }).click();
    await dialog.getByRole("button", { name: english ? "Copy here" : "Copiar para cá" }).click();
    await page.locator(".note", { hasText: english ? "Copied" : "Copiado" }).waitFor();
    assert.ok(await there(drawer, "two/one/x.txt"));

    await row(page, "c.txt").getByRole("checkbox").check();
    await act("delete");
    await dialog.getByRole("button", { name: english ? "Delete" : "Apagar" }).click();
    await row(page, "c.txt").waitFor({ state: "detached" });
    assert.ok(!(await there(drawer, "c.txt")));
    await page.getByRole("button", { name: english ? "Undo" : "Desfazer" }).click();
    await row(page, "c.txt").waitFor();
    assert.ok(await there(drawer, "c.txt"));

    await page.locator("#new summary").click();
    await page.keyboard.type("pasta nova");
    await page.keyboard.press("Enter");
    await row(page, "pasta nova").waitFor();

    // A name that is taken is said, and stays to be seen.
    await row(page, "renamed.txt").getByRole("checkbox").check();
    await act("rename");
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("two");
    await page.keyboard.press("Enter");
    await page.locator(".note.failed", { hasText: english ? "is there already" : "já existe" }).waitFor();
    assert.ok(await there(drawer, "renamed.txt"));
    assert.deepEqual(page.troubles, []);
  }
});

test("the keyboard does it all", async () => {
  const drawer = await Drawer.open(files);
  const page = await visit(drawer, { admin: true });
  const focused = () => page.evaluate(() => document.activeElement?.closest("tr")?.querySelector("input")?.value);
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "a.txt");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press(" ");
  await page.keyboard.press("Shift+ArrowDown");
  assert.equal(await page.locator("#rows .on").count(), 2);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#rows .on").count(), 0);
  await page.keyboard.press("Home");
  await page.keyboard.press("F2");
  await page.keyboard.type("z");
  await page.keyboard.press("Enter");
  await row(page, "z.txt").waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("z");
  assert.deepEqual(await names(page), ["z.txt"]);
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.press("Delete");
  await page.keyboard.press("Tab");
  await page.keyboard.press("ArrowDown");
  await page.locator("#rows a").first().focus();
  await page.keyboard.press("Delete");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("Shift").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".filter").fill("");
  await row(page, "one").getByRole("link").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/one/");
  await ready(page);
  await page.keyboard.press("Backspace");
  await page.waitForURL(`${drawer.url}/`);
  await ready(page);
  // Every thing that can be used is reached by Tab, and shows that it is.
  const reached = new Set();
  for (let i = 0; i < 60; i += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return "end";
      const style = getComputedStyle(element);
      return `${element.tagName}:${element.textContent?.trim() || element.getAttribute("aria-label") || element.getAttribute("name")}:${style.outlineStyle !== "none"}`;
    });
    if (at === "end") break;
    assert.ok(at.endsWith(":true"), `${at} does not show that it has the focus`);
    reached.add(at.split(":")[1]);
  }
  for (const word of ["Skip to the files", "Sign out", "Send", "New folder", "Get all (ZIP)", "Name", "z.txt", "one"]) {
    assert.ok([...reached].some((text) => text.includes(word)), `${word} not reached: ${[...reached]}`);
  }
});

test("what others send and delete appears by itself, and a lost line is said", async () => {
  const drawer = await Drawer.open(files);
  const page = await visit(drawer, { lang: "pt-BR" });
  await row(page, "a.txt").getByRole("checkbox").check();
  await fetch(`${drawer.url}/by%20others.txt`, { method: "PUT", body: "x" });
  await row(page, "by others.txt").waitFor();
  assert.ok(await row(page, "a.txt").getByRole("checkbox").isChecked());
  await fetch(`${drawer.url}/deep/er/file.txt`, { method: "PUT", body: "x" });
  await row(page, "deep").waitFor();
  await drawer.kill();
  await page.getByText("O servidor não responde. Reconectando…").waitFor();
  await drawer.fill({ "meanwhile.txt": "x" });
  await drawer.start();
  await page.getByText("O servidor não responde").waitFor({ state: "hidden" });
  await row(page, "meanwhile.txt").waitFor();
  await rows(page, 8);
});

test("whoever writes a new name is disturbed by nobody: neither by what others do, nor by another window", async () => {
  const drawer = await Drawer.open(files);
  const page = await visit(drawer, { admin: true });
  const input = page.locator(".name-edit");
  await row(page, "a.txt").getByRole("checkbox").check();
  await page.locator("[data-act=rename]").click();
  await page.keyboard.type("half");
  // The list is fetched again because of what another does here, and left as it is.
  const fetched = page.waitForResponse((answer) => answer.request().resourceType() === "fetch" && answer.url() === `${drawer.url}/`);
  await fetch(`${drawer.url}/by%20others.txt`, { method: "PUT", body: "x" });
  await (await fetched).finished();
  await page.waitForTimeout(300);
  // Another window comes to the front.
  await page.evaluate(() => {
    document.hasFocus = () => false;
    document.querySelector(".name-edit")?.dispatchEvent(new FocusEvent("blur"));
    delete document.hasFocus;
  });
  assert.equal(await input.inputValue(), "half.txt");
  assert.ok(await there(drawer, "a.txt"));
  await input.press("Escape");
  await row(page, "by others.txt").waitFor();
  assert.ok(await row(page, "a.txt").isVisible());

  await page.locator("[data-act=rename]").click();
  await page.keyboard.type("whole");
  await page.locator(".filter").focus();
  await row(page, "whole.txt").waitFor();
  assert.ok(!(await there(drawer, "half.txt")));
  assert.deepEqual(page.troubles, []);
});

test("a click chooses, shift chooses up to there, and what is chosen is got as one archive", async () => {
  const drawer = await Drawer.open(files);
  const page = await visit(drawer);
  await row(page, "a.txt").locator(".s").click();
  await row(page, "c.txt").locator(".s").click({ modifiers: ["Shift"] });
  assert.equal(await page.locator("#rows .on").count(), 3);
  assert.equal(await page.locator(".chosen").textContent(), "3 selected");
  const several = page.waitForEvent("download");
  await page.locator("[data-act=get]").click();
  const archive = await several;
  assert.equal(archive.suggestedFilename(), "gaveta.zip");
  assert.equal(await archive.failure(), null);
  await page.keyboard.press("Escape");
  await row(page, "b.txt").getByRole("checkbox").check();
  const one = page.waitForEvent("download");
  await page.locator("[data-act=get]").click();
  assert.equal((await one).suggestedFilename(), "b.txt");
});
