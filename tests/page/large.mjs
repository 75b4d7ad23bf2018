// A file of 5 GB sent by the page and got back by it, with the memory of the server: by hand, for it takes
// a minute or two and 10 GB of disk.
//
//   GAVETA=… node large.mjs [GiB]      5 unless given

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Drawer, drop, row, sent, visit } from "./harness.mjs";

const GiB = 1024 ** 3;
const size = Math.round(Number(process.argv[2] ?? 5) * GiB);

async function digest(file) {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file, { highWaterMark: 4 << 20 })) hash.update(piece);
  return hash.digest("hex");
}

async function memory(drawer) {
  const status = await readFile(`/proc/${drawer.process.pid}/status`, "utf8");
  return ["VmRSS", "VmHWM"].map((name) => `${name} ${Math.round(Number(status.match(new RegExp(`${name}:\\s+(\\d+)`))[1]) / 1024)} MiB`).join(", ");
}

test("a file of 5 GB", async () => {
  const base = await mkdtemp(join(tmpdir(), "gaveta-page-large-"));
  const file = join(base, "large.bin");
  const source = await open(file, "w");
  await source.truncate(size);
  // Sparse, but not the same everywhere.
  for (let at = 0; at < size; at += size / 64) await source.write(Buffer.from(`at ${at}`), 0, undefined, Math.floor(at));
  await source.close();
  const drawer = await Drawer.open();
  const page = await visit(drawer);
  console.log(`before: ${await memory(drawer)}`);
  let began = Date.now();
  await drop(page, [file]);
  await sent(page, 1_500_000);
  assert.equal(await page.locator(".tray strong").textContent(), "Sent");
  console.log(`sent by the page in ${((Date.now() - began) / 1000).toFixed(0)} s: ${await memory(drawer)}`);
  const there = join(drawer.folder, "large.bin");
  assert.equal((await stat(there)).size, size);
  const was = await digest(file);
  assert.equal(await digest(there), was);
  await rm(file);
  began = Date.now();
  const coming = page.waitForEvent("download");
  await row(page, "large.bin").getByRole("link").click();
  const download = await coming;
  assert.equal(await download.failure(), null);
  console.log(`got by the page in ${((Date.now() - began) / 1000).toFixed(0)} s: ${await memory(drawer)}`);
  assert.equal(await digest(await download.path()), was);
  await download.delete();
  await rm(base, { recursive: true });
});
