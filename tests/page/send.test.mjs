// Sending: dropped, chosen, pasted; names that are taken; a line that is lost; a reload.

import assert from "node:assert/strict";
import { mkdtemp, mkdir, rm, utimes, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { Drawer, VIEWS, digests, drop, names, ready, row, rows, sent, underWay, visit } from "./harness.mjs";

const base = await mkdtemp(join(tmpdir(), "gaveta-page-files-"));
after(() => rm(base, { recursive: true, force: true }));

async function tree(name, count, size) {
  const folder = join(base, name);
  for (let i = 0; i < count; i += 1) {
    const at = join(folder, `d${i % 7}`, `s${i % 3}`);
    await mkdir(at, { recursive: true });
    await writeFile(join(at, `file ${i} é.bin`), randomBytes(size(i)));
  }
  return folder;
}

test("a folder that is dropped arrives whole, its empty folders too", async () => {
  const folder = await tree("small", 40, (i) => i * 37);
  await mkdir(join(folder, "empty/er"), { recursive: true });
  for (const view of VIEWS) {
    const drawer = await Drawer.open();
    const page = await visit(drawer, view);
    await drop(page, [folder]);
    await sent(page);
    await rows(page, 1);
    assert.equal(await page.locator(".tray strong").textContent(), view.lang === "en" ? "40 sent" : "40 enviados");
    assert.deepEqual(await drawer.digests("small"), await digests(folder));
    await page.goto(`${drawer.url}/small/empty/`);
    await ready(page);
    assert.deepEqual(await names(page), ["er"]);
    assert.deepEqual(page.troubles, []);
  }
});

test("files are chosen, and pasted", async () => {
  const drawer = await Drawer.open();
  const page = await visit(drawer, { lang: "pt-BR" });
  await page.locator("#send summary").click();
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: "Arquivos…" }).click()]);
  await chooser.setFiles([{ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("a") }, { name: "nada.txt", mimeType: "text/plain", buffer: Buffer.alloc(0) }]);
  await rows(page, 2);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["pasted"], "image.png", { type: "image/png" }));
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
  });
  await rows(page, 3);
  await sent(page);
  assert.equal(await page.locator(".tray strong").textContent(), "3 enviados");
});

test("on a phone a picture is taken and sent; a folder is chosen whole, also on a wide screen", async () => {
  const folder = await tree("chosen", 9, (i) => i * 37);
  for (const view of VIEWS) {
    const drawer = await Drawer.open();
    const page = await visit(drawer, view);
    const english = view.lang === "en";
    const camera = page.getByRole("button", { name: english ? "Take a picture" : "Tirar uma foto" });
    await page.locator("#send summary").click();
    assert.equal(await camera.count(), view.width < 500 ? 1 : 0);
    if (view.width < 500) {
      const [chooser] = await Promise.all([page.waitForEvent("filechooser"), camera.click()]);
      assert.equal(chooser.isMultiple(), false);
      assert.deepEqual(await page.locator("#pick-camera").evaluate((input) => [input.getAttribute("capture"), input.accept]), ["environment", "image/*"]);
      await chooser.setFiles([{ name: "image.jpg", mimeType: "image/jpeg", buffer: Buffer.from("a picture") }]);
      await row(page, "image.jpg").waitFor();
      await page.locator("#send summary").click();
    }
    const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: english ? "A folder…" : "Uma pasta…" }).click()]);
    await chooser.setFiles(folder);
    await row(page, "chosen").waitFor();
    await sent(page);
    assert.deepEqual(await drawer.digests("chosen"), await digests(folder));
    assert.deepEqual(page.troubles, []);
  }
});

test("names that are taken are asked about once, and the answer holds for all", async () => {
  const folder = join(base, "taken");
  await mkdir(folder, { recursive: true });
  for (const name of ["a.txt", "b.txt", "c.txt"]) await writeFile(join(folder, name), `new ${name}`);
  const paths = ["a.txt", "b.txt", "c.txt"].map((name) => join(folder, name));
  for (const [choice, expected] of [
    ["Keep both", { "a.txt": "old", "a (2).txt": "new a.txt", "b.txt": "old", "b (2).txt": "new b.txt", "c.txt": "new c.txt" }],
    ["Skip", { "a.txt": "old", "b.txt": "old", "c.txt": "new c.txt" }],
    ["Replace", { "a.txt": "new a.txt", "b.txt": "new b.txt", "c.txt": "new c.txt" }],
  ]) {
    const drawer = await Drawer.open({ "a.txt": "old", "b.txt": "old" });
    const page = await visit(drawer, { admin: true });
    await drop(page, paths);
    await page.getByRole("radio", { name: choice }).check();
    await page.getByRole("dialog").getByRole("button", { name: "Continue" }).click();
    await sent(page);
    assert.equal(await page.getByRole("dialog").count(), 0);
    await rows(page, Object.keys(expected).length);
    for (const [name, content] of Object.entries(expected)) {
      assert.equal(await (await fetch(`${drawer.url}/${encodeURIComponent(name)}`)).text(), content, `${choice}: ${name}`);
    }
  }
});

test("3,000 files dropped at once arrive whole, though the server is killed and started in the middle", async () => {
  const folder = await tree("many", 3000, (i) => 200 + ((i * 7919) % 9000));
  // One that goes in several requests, and is cut in the middle.
  await writeFile(join(folder, "big.bin"), randomBytes(24 * 1024 * 1024));
  const drawer = await Drawer.open();
  const page = await visit(drawer);
  await drop(page, [folder]);
  let killed = 0;
  while (killed < 2) {
    await underWay(page, { files: [300, 1500][killed] });
    await drawer.kill("SIGKILL");
    await page.locator(".offline").waitFor();
    await drawer.start();
    killed += 1;
  }
  await sent(page);
  await page.locator(".offline").waitFor({ state: "hidden" });
  assert.equal(await page.locator(".tray strong").textContent(), "3,001 sent");
  assert.deepEqual(await drawer.digests("many"), await digests(folder));
  assert.deepEqual(page.troubles, []);
});

test("3,000 files dropped at once arrive whole", async () => {
  const folder = await tree("plain", 3000, (i) => i % 5000);
  const drawer = await Drawer.open();
  const page = await visit(drawer, { lang: "pt-BR", width: 390 });
  await drop(page, [folder]);
  await sent(page);
  assert.equal(await page.locator(".tray strong").textContent(), "3.000 enviados");
  assert.deepEqual(await drawer.digests("plain"), await digests(folder));
});

test("a reload in the middle: what was not finished is told, and goes on when it is chosen again", async () => {
  const file = join(base, "long.bin");
  await writeFile(file, randomBytes(64 * 1024 * 1024));
  await utimes(file, 1_700_000_000, 1_700_000_000);
  const drawer = await Drawer.open();
  const page = await visit(drawer);
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 1, downloadThroughput: -1, uploadThroughput: 8 * 1024 * 1024 });
  await drop(page, [file]);
  await underWay(page, { bytes: 8 * 1024 * 1024 });
  await page.reload();
  await ready(page);
  await page.locator(".tray strong", { hasText: "One file was not finished" }).waitFor();
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  /** @type {string[]} */
  const requests = [];
  page.on("request", (request) => request.method() === "PATCH" && requests.push(request.headers()["upload-offset"]));
  await drop(page, [file]);
  await sent(page);
  assert.ok(Number(requests[0]) > 0, `it began at ${requests[0]}`);
  assert.equal((await drawer.digests())["long.bin"], (await digests(base))["long.bin"]);
});

test("what fails stays to be seen, with its reason, and can be tried again", async () => {
  const drawer = await Drawer.open({}, ["--max-file-size", "1000"]);
  const page = await visit(drawer);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["x".repeat(2000)], "large.txt"));
    data.items.add(new File(["x"], "small.txt"));
    dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await sent(page);
  assert.equal(await page.locator(".tray strong").textContent(), "1 sent, 1 failed");
  const failed = page.locator(".sending .failed");
  assert.match(await failed.textContent(), /large\.txt.*larger than allowed/);
  await page.waitForTimeout(1500);
  assert.ok(await failed.isVisible());
  await failed.getByRole("button", { name: /Dismiss/ }).click();
  await failed.waitFor({ state: "detached" });
  // What comes after one that left is sent like any other.
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["y"], "after.txt"));
    dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await row(page, "after.txt").waitFor();
  assert.equal(await page.locator(".tray strong").textContent(), "2 sent");
});

test("sending is paused, continued and cancelled", async () => {
  const file = join(base, "pause.bin");
  await writeFile(file, randomBytes(32 * 1024 * 1024));
  const drawer = await Drawer.open();
  const page = await visit(drawer);
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 1, downloadThroughput: -1, uploadThroughput: 4 * 1024 * 1024 });
  await drop(page, [file]);
  await underWay(page, { bytes: 2 * 1024 * 1024 });
  await page.getByRole("button", { name: "Pause all" }).click();
  await page.locator(".tray strong", { hasText: "paused" }).waitFor();
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  await page.locator(".tray header").getByRole("button", { name: "Continue" }).click();
  await sent(page);
  assert.equal((await drawer.digests())["pause.bin"], (await digests(base))["pause.bin"]);
});
