// The flows of tus-js-client: node tus.mjs ENDPOINT FILES URL-STORE
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { PassThrough } from "node:stream";
import * as tus from "tus-js-client";

const [endpoint, files, store] = process.argv.slice(2);
const urlStorage = new tus.FileUrlStorage(store);
const file = (name) => fs.createReadStream(path.join(files, name));
/** A stream whose length nobody can look up. */
const pipe = (name) => file(name).pipe(new PassThrough());
const KIB = 1024;

process.on("uncaughtException", (error) => {
  console.error(String(error));
  process.exit(1);
});

/** Settles when the upload has ended; `use` may drive it meanwhile. */
function run(name, target, options = {}, use = (upload) => upload.start()) {
  return new Promise((resolve, reject) => {
    const { source = file, ...more } = options;
    const upload = new tus.Upload(source(name), {
      endpoint,
      metadata: { path: target },
      urlStorage,
      storeFingerprintForResuming: false,
      retryDelays: null,
      onError: reject,
      onSuccess: () => resolve(upload),
      ...more,
    });
    Promise.resolve(use(upload)).catch(reject);
  });
}

/** Ends an upload in the middle of its way and resolves with it. */
function cut(name, target, terminate, options = {}) {
  return new Promise((resolve, reject) => {
    let cutting = false;
    const upload = new tus.Upload(file(name), {
      endpoint,
      metadata: { path: target },
      urlStorage,
      chunkSize: 512 * KIB,
      retryDelays: null,
      onError: (error) => cutting || reject(error),
      onSuccess: () => reject(new Error("it was not cut")),
      onChunkComplete: () => {
        if (cutting) return;
        cutting = true;
        upload.abort(terminate).then(() => resolve(upload), reject);
      },
      ...options,
    });
    upload.start();
  });
}

const health = async () => (await fetch(new URL("/.gaveta/health", endpoint))).json();

const options = await fetch(endpoint, { method: "OPTIONS" });
const extensions = options.headers.get("tus-extension").split(",");
for (const wanted of [
  "creation",
  "creation-with-upload",
  "creation-defer-length",
  "expiration",
  "checksum",
  "termination",
  "concatenation",
]) {
  assert(extensions.includes(wanted), wanted);
}
assert.equal(options.headers.get("tus-version"), "1.0.0");

await run("5000001.bin", "js/plain");
console.log("plain");

await run("0.bin", "js/empty");
console.log("empty");

await run("700000.bin", "js/with-creation", { uploadDataDuringCreation: true });
console.log("with the creation");

const before = await health();
const first = await cut("9000000.bin", "js/resumed", false);
let resumedFrom = 0;
const resumed = await run(
  "9000000.bin",
  "js/resumed",
  {
    onProgress: (sent) => (resumedFrom ||= sent),
  },
  async (upload) => {
    const previous = await upload.findPreviousUploads();
    assert.equal(previous.length, 1, "the fingerprint was not found");
    upload.resumeFromPreviousUpload(previous[0]);
    upload.start();
  },
);
assert.equal(resumed.url, first.url);
assert(resumedFrom >= 512 * KIB, `began again at ${resumedFrom}`);
const received = (await health()).received - before.received;
assert(received < 9000000 + 1024 * KIB, `${received} bytes were sent`);
console.log("resumed from a stored fingerprint");

await run("9000000.bin", "js/parallel", { parallelUploads: 4 });
console.log("four in parallel");

await run("5000001.bin", "js/deferred", {
  source: pipe,
  uploadLengthDeferred: true,
  chunkSize: 1024 * KIB,
});
console.log("length deferred");

const ended = await cut("9000000.bin", "js/terminated", true, {
  storeFingerprintForResuming: false,
});
const head = await fetch(ended.url, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } });
assert.equal(head.status, 404);
console.log("terminated");

assert.equal((await health()).uploads, 0, "uploads are left over");
