// The administrator's corner: accounts, links and tokens, looked over and changed there.

import assert from "node:assert/strict";
import test from "node:test";
import { Drawer, PASSWORD, VIEWS, follow, visit } from "./harness.mjs";

const basic = (name, password) => ({ Authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}` });
const admin = { ...basic("admin", PASSWORD), "Content-Type": "application/json" };

async function fits(page) {
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the screen");
}

test("an account is made, granted, limited, given a password and removed, with scripts and without", async () => {
  for (const [i, view] of VIEWS.entries()) {
    const drawer = await Drawer.open({ "team/a.txt": "a", "top.txt": "top" });
    const english = view.lang === "en";
    const says = (pt, en) => page.getByText(english ? en : pt);
    const script = i % 3 !== 0;
    const page = await visit(drawer, { ...view, admin: true, script });
    const go = (does) => (script ? follow(page, does) : Promise.all([page.waitForEvent("domcontentloaded"), does()]));
    const status = async (at, password = "1234") => (await fetch(drawer.url + at, { headers: basic("ana", password) })).status;
    const pressed = (name) => go(() => page.getByRole("button", { name, exact: true }).click());
    await go(() => page.locator(".account a").click());
    await go(() => page.getByRole("link", { name: english ? "Accounts" : "Contas" }).click());
    await says("Ninguém tem conta ainda", "Nobody has an account yet").waitFor();
    await fits(page);

    await page.locator("#new-account").fill("a na");
    await page.locator("#new-password").fill("1234");
    await page.locator("#new-at").fill("/team");
    await pressed(english ? "Make the account" : "Criar a conta");
    await page.getByRole("alert").getByText("a na").waitFor();
    await page.locator("#new-account").fill("ana");
    await page.locator("#new-password").fill("1234");
    await page.locator("#new-at").fill("/team");
    await pressed(english ? "Make the account" : "Criar a conta");
    await says("Esta senha é fraca", "This password is weak").waitFor();
    assert.deepEqual([await status("/team/a.txt"), await status("/top.txt")], [200, 404]);
    await fits(page);

    await page.locator("#grant-at").fill("/");
    await pressed(english ? "Add" : "Acrescentar");
    assert.equal(await status("/top.txt"), 200);
    await page.locator("#grant-1").selectOption("none");
    await pressed(`${english ? "Save" : "Salvar"}: /team`);
    assert.equal(await status("/team/a.txt"), 404);
    await pressed(`${english ? "Take away" : "Tirar"}: /team`);
    assert.equal(await status("/team/a.txt"), 200);
    await fits(page);

    await page.locator("#quota").fill("much");
    await page.locator("#expires").fill("2099-12-31");
    await go(() => page.locator("form:has(#quota) button").click());
    await page.getByRole("alert").getByText("much").waitFor();
    await page.locator("#quota").fill("10G");
    await page.locator("#expires").fill("2099-12-31");
    await page.locator("[name=disabled]").check();
    await go(() => page.locator("form:has(#quota) button").click());
    assert.equal(await status("/top.txt"), 401);
    assert.equal(await page.locator("#quota").inputValue(), "10G");
    assert.equal(await page.locator("#expires").inputValue(), "2099-12-31");
    await page.locator("[name=disabled]").uncheck();
    await go(() => page.locator("form:has(#quota) button").click());
    assert.equal(await status("/top.txt"), 200);

    await page.locator("#password").fill("a better password");
    await go(() => page.locator("form:has(#password) button").click());
    assert.deepEqual([await status("/top.txt"), await status("/top.txt", "a better password")], [401, 200]);

    await page.locator("summary").click();
    await fits(page);
    await pressed(english ? "Remove the account" : "Remover a conta");
    assert.equal(await page.locator(".people li").count(), 1);
    assert.equal(await status("/top.txt", "a better password"), 401);
    // One's own account is not for oneself.
    await go(() => page.getByRole("link", { name: "admin", exact: true }).click());
    await says("Esta é a sua conta", "This is your own account").waitFor();
    assert.equal(await page.locator("[value=remove], [value=set]").count(), 0);
    assert.deepEqual(page.troubles, []);
    await page.context().close();
  }
});

test("the links and tokens of all are listed and ended; who has none of the server's sees none", async () => {
  const drawer = await Drawer.open({ "a.txt": "a" });
  for (const view of VIEWS) {
    const english = view.lang === "en";
    const made = async (what, body) => (await fetch(`${drawer.url}/.gaveta/${what}`, { method: "POST", headers: admin, body: JSON.stringify(body) })).json();
    const share = await made("shares", { path: "a.txt", limit: 3, seconds: 3600 });
    const token = await made("tokens", { name: "backup", scopes: [{ path: "", actions: "viewer" }] });
    const bearer = { headers: { Authorization: `Bearer ${token.secret}` } };
    assert.equal((await fetch(drawer.url + share.link)).status, 200);
    assert.equal((await fetch(`${drawer.url}/a.txt`, bearer)).status, 200);
    const page = await visit(drawer, { ...view, admin: true, path: "/.gaveta/admin/links" });
    await page.getByText(english ? "used 1 of 3 times" : "usado 1 de 3 vezes").waitFor();
    await page.getByText("backup").waitFor();
    await fits(page);
    await follow(page, () => page.locator("[name=end]").click());
    await follow(page, () => page.locator("[name=end-token]").click());
    assert.equal(await page.getByText(english ? "None." : "Nenhum.", { exact: true }).count(), 2);
    assert.equal((await fetch(drawer.url + share.link)).status, 404);
    assert.equal((await fetch(`${drawer.url}/a.txt`, bearer)).status, 401);
    assert.deepEqual(page.troubles, []);
    await page.context().close();
  }
  const page = await visit(drawer);
  for (const at of ["admin/links", "admin/accounts", "admin/account?name=admin", "share?at="]) {
    assert.equal((await page.goto(`${drawer.url}/.gaveta/${at}`))?.status(), 401, at);
  }
});
