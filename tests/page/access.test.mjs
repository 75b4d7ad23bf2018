// For everybody: axe-core finds nothing on any view, in light and dark.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { Drawer, PASSWORD, VIEWS, row, visit } from "./harness.mjs";

const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @param {import("playwright-core").Page} page */
async function sound(page, where) {
  // What lies half beneath a bar comes out by scrolling.
  await page.evaluate(() => scrollTo(0, 0));
  // By the debugger, which our policy does not bind.
  await page.evaluate(`if (!window.axe) { ${source} }`);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => `${node.html} ${node.any[0]?.message ?? ""}`).slice(0, 3).join(" | ")}`);
  });
  assert.deepEqual(found, [], where);
}

test("axe-core finds nothing on any view", async () => {
  for (const view of VIEWS) {
    // What is sent here would make the list of the next one long.
    const drawer = await Drawer.open({ "a.txt": "a", "b.md": "# b", "Fotos/x.png": "png", "vazia/": "", [`${"long name ".repeat(12)}.txt`]: "x" });
    const made = await fetch(`${drawer.url}/.gaveta/admin/accounts`, {
      method: "POST",
      headers: { Authorization: `Basic ${Buffer.from(`admin:${PASSWORD}`).toString("base64")}`, Origin: drawer.url },
      body: new URLSearchParams({ do: "add", name: "bia", password: "1234", at: "/Fotos", what: "editor" }),
      redirect: "manual",
    });
    assert.equal(made.status, 303);
    for (const dark of [false, true]) {
      const where = `${view.lang} ${view.width} ${dark ? "dark" : "light"}`;
      const page = await visit(drawer, { ...view, dark, admin: true });
      await sound(page, `list ${where}`);
      await row(page, "a.txt").getByRole("checkbox").check();
      await sound(page, `chosen ${where}`);
      await page.locator("#send summary").click();
      await sound(page, `send ${where}`);
      await page.keyboard.press("Escape");
      await page.locator("[data-act=share]").click();
      await page.locator("#share-lasts").waitFor();
      await sound(page, `share ${where}`);
      await page.locator("#share .primary").click();
      await page.locator(".qr").waitFor();
      await sound(page, `shared ${where}`);
      await page.keyboard.press("Escape");
      for (const act of ["rename", "move", "delete"]) {
        await page.locator(`[data-act=${act}]`).click();
        await page.waitForTimeout(200);
        await sound(page, `${act} ${where}`);
        await page.keyboard.press("Escape");
      }
      await row(page, "b.md").getByRole("link").click();
      await page.getByRole("dialog").waitFor();
      await sound(page, `look ${where}`);
      await page.keyboard.press("Escape");
      await page.evaluate(() => {
        const data = new DataTransfer();
        data.items.add(new File(["x"], "a.txt"));
        data.items.add(new File(["x"], `sent ${Math.random()}.txt`));
        dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
      });
      await page.getByRole("radio").first().waitFor();
      await sound(page, `taken ${where}`);
      await page.keyboard.press("Escape");
      await page.locator(".sending .done").first().waitFor();
      await sound(page, `tray ${where}`);
      for (const path of ["/vazia/", "/nothing", "/.gaveta/search?at=&q=a", "/.gaveta/admin", "/.gaveta/admin/links", "/.gaveta/admin/accounts", "/.gaveta/admin/account?name=bia", "/.gaveta/share?at=&name=vazia", "/.gaveta/ask?do=move&at=&name=a.txt"]) {
        await page.goto(drawer.url + path);
        await page.waitForTimeout(150);
        await sound(page, `${path} ${where}`);
      }
      await page.context().close();
    }
  }
});
