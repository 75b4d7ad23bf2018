// What goes wrong around the page: no room, no line, two tabs that do the same.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { ADMIN, Drawer, VIEWS, canBeSmall, digests, drop, line, ready, row, rows, sent, underWay, visit } from "./harness.mjs";

const base = await mkdtemp(join(tmpdir(), "gaveta-page-trouble-"));
after(() => rm(base, { recursive: true, force: true }));
const MiB = 1024 * 1024;

test("no room: it is said and stays, others go on, and after room was made it is tried again", { skip: !canBeSmall() && "no small file system can be made here" }, async () => {
  const large = randomBytes(12 * MiB);
  await writeFile(join(base, "large.bin"), large);
  await writeFile(join(base, "small.txt"), "small");
  for (const view of VIEWS.filter(({ width }) => width > 1000)) {
    const english = view.lang === "en";
    const drawer = await Drawer.open({}, ["--trash", "off"], { room: "24m" });
    const filled = await fetch(`${drawer.url}/filled.bin`, { method: "PUT", body: randomBytes(16 * MiB) });
    assert.equal(filled.status, 201);
    const page = await visit(drawer, view);
    await drop(page, [join(base, "large.bin"), join(base, "small.txt")]);
    await sent(page);
    assert.equal(await page.locator(".tray strong").textContent(), english ? "1 sent, 1 failed" : "Enviados: 1; falharam: 1");
    const failed = page.locator(".sending .failed");
    assert.match(await failed.textContent(), english ? /large\.bin.*no space/ : /large\.bin.*espaço/);
    await rows(page, 2);
    const gone = await fetch(`${drawer.url}/filled.bin`, { method: "DELETE", headers: { Authorization: ADMIN } });
    assert.ok(gone.ok, String(gone.status));
    await failed.getByRole("button", { name: english ? /Try again/ : /Tentar de novo/ }).click();
    await row(page, "large.bin").waitFor();
    await sent(page);
    const got = Buffer.from(await (await fetch(`${drawer.url}/large.bin`)).arrayBuffer());
    assert.equal(createHash("sha256").update(got).digest("hex"), createHash("sha256").update(large).digest("hex"));
    assert.deepEqual(page.troubles, []);
  }
});

test("the line goes dead in the middle: that is said, and the file goes on where it was when it is back", async () => {
  await writeFile(join(base, "cut.bin"), randomBytes(32 * MiB));
  const drawer = await Drawer.beneath("", { "a.txt": "a" });
  const page = await visit(drawer);
  await line(page, { up: 6 * MiB });
  await drop(page, [join(base, "cut.bin")]);
  await underWay(page, { bytes: 6 * MiB });
  drawer.goDead();
  await page.getByText("The server does not answer").waitFor();
  await page.locator(".sending .lost").waitFor();
  assert.match(await page.locator(".tray").textContent(), /waiting for the server/);
  const offsets = [];
  page.on("request", (request) => request.method() === "PATCH" && offsets.push(Number(request.headers()["upload-offset"])));
  await line(page);
  drawer.revive();
  await sent(page);
  await page.getByText("The server does not answer").waitFor({ state: "hidden" });
  assert.ok(offsets[0] > 0, `it began at ${offsets[0]}`);
  assert.equal((await drawer.digests())["cut.bin"], (await digests(base))["cut.bin"]);
  assert.deepEqual(page.troubles, []);
});

test("names with control characters, marks that turn the writing round, and ones that nothing can hold", async () => {
  for (const view of VIEWS) {
    const drawer = await Drawer.open({ "a.txt": "a", "\u202egnp.exe": "x", "\u2066x\u2069.txt": "x" });
    await writeFile(join(drawer.folder, "bell\u0007 \u001b[31mred\nline.txt"), "x");
    await writeFile(Buffer.concat([Buffer.from(`${drawer.folder}/latin `), Buffer.from([0xe9]), Buffer.from(".txt")]), "x");
    const page = await visit(drawer, view);
    const english = view.lang === "en";
    // What is there is told, with nothing of it in force, and leads nowhere that cannot be.
    const list = await page.locator("#list").textContent();
    for (const shown of ["\\u{202e}gnp.exe", "\\u{2066}x\\u{2069}.txt", "bell", "latin"]) assert.ok(list.includes(shown), `${shown}: ${list}`);
    assert.doesNotMatch(list, /[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u2066-\u2069]/);
    assert.equal(await page.locator("#rows tr").count(), 3);
    await page.locator("#end .notice", { hasText: "bell" }).filter({ hasText: english ? "More things lie here" : "Há aqui mais coisas" }).waitFor();
    // What cannot be sent says so, each by its name; what can is sent beside it.
    await page.evaluate(() => {
      const data = new DataTransfer();
      for (const name of ["bell\u0007.txt", "line\nend.txt", "\u202ecod.exe", ".gaveta", "n".repeat(300), "good.txt"]) data.items.add(new File(["x"], name));
      dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    });
    await sent(page);
    assert.equal(await page.locator(".tray strong").textContent(), english ? "2 sent, 4 failed" : "Enviados: 2; falharam: 4");
    assert.equal(await page.locator(".sending .failed").count(), 4);
    const tray = await page.locator(".tray").textContent();
    assert.doesNotMatch(tray, /[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u2066-\u2069]/);
    assert.deepEqual((await readdir(drawer.folder)).filter((name) => /good|cod|end|nnn/.test(name)).sort(), ["good.txt", "\u202ecod.exe"]);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the screen");
    assert.deepEqual(page.troubles, []);
    await page.context().close();
  }
});

test("offline: what one asks for fails with its reason, and nothing is lost", async () => {
  await writeFile(join(base, "later.txt"), "later");
  const drawer = await Drawer.open({ "a.txt": "a" });
  const page = await visit(drawer, { admin: true });
  // What sends is fetched when it is first wanted: that is before.
  await page.evaluate(() => import(document.querySelector("script[type=module]").src.replace("page.js", "queue.js")).then(() => import(document.querySelector("script[type=module]").src.replace("page.js", "tray.js"))));
  await line(page, { offline: true });
  await row(page, "a.txt").getByRole("checkbox").check();
  await page.locator("[data-act=delete]").click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.locator(".note.failed", { hasText: "the connection was lost" }).waitFor();
  assert.ok(await row(page, "a.txt").isVisible());
  await drop(page, [join(base, "later.txt")]);
  await page.locator(".tray", { hasText: "waiting for the server" }).waitFor();
  await line(page);
  await sent(page, 60_000);
  await row(page, "later.txt").waitFor();
  assert.equal(await (await fetch(`${drawer.url}/later.txt`)).text(), "later");
});

test("two tabs: what one does the other shows, and both may send the same file", async () => {
  await writeFile(join(base, "same.bin"), randomBytes(16 * MiB));
  const drawer = await Drawer.open({ "a.txt": "a", "b.txt": "b" });
  const one = await visit(drawer, { admin: true });
  const two = await one.context().newPage();
  await two.goto(drawer.url);
  await ready(two);
  await row(two, "a.txt").getByRole("checkbox").check();
  await row(one, "b.txt").getByRole("checkbox").check();
  await one.locator("[data-act=delete]").click();
  await one.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await row(two, "b.txt").waitFor({ state: "detached" });
  assert.ok(await row(two, "a.txt").getByRole("checkbox").isChecked());
  // What was deleted in the one is renamed in the other: no harm, and a reason.
  await row(two, "a.txt").getByRole("checkbox").check();
  await two.locator("[data-act=rename]").click();
  await two.keyboard.type("mine");
  await fetch(`${drawer.url}/a.txt`, { method: "DELETE", headers: { Authorization: ADMIN } });
  await two.keyboard.press("Enter");
  await two.locator(".note.failed").waitFor();

  for (const page of [one, two]) await line(page, { up: 4 * MiB });
  await drop(one, [join(base, "same.bin")]);
  await underWay(one, { bytes: 2 * MiB });
  await drop(two, [join(base, "same.bin")]);
  await underWay(two, { bytes: 1 });
  for (const page of [one, two]) await line(page);
  for (const page of [one, two]) {
    await sent(page);
    assert.equal(await page.locator(".tray strong").textContent(), "Sent");
  }
  await rows(one, 1);
  assert.deepEqual(await drawer.digests(), { "same.bin": (await digests(base))["same.bin"] });
  assert.deepEqual(one.troubles, []);
});
