// What is being sent: files on their way, several at once, by tus (https://tus.io). A file that was
// cut goes on where it was; a line that is lost is waited for.

import { address, command, numbered, own } from "./api.js";

/**
 * @typedef {"waiting" | "sending" | "lost" | "paused" | "asking" | "failed" | "done" | "skipped" | "forgotten"} State
 *   lost: the line is, and it is tried again by itself. asking: the name is taken. forgotten: the
 *   page was left; the file must be chosen again.
 * @typedef {"keep" | "replace" | "skip"} Choice
 * @typedef {{choice?: Choice, asked?: boolean}} Batch what came at once, and what was answered for all of it
 * @typedef {{id: number, file: File | null, wanted: string, path: string, size: number, modified: number,
 *   state: State, sent: number, code: string, tries: number, number: number, doubtful: boolean,
 *   choice?: Choice, batch: Batch, upload?: any, again?: ReturnType<typeof setTimeout>}} Item
 */

/** Files on their way at once. A browser opens six connections, and the page wants some too. */
const AT_ONCE = 4;
/** Up to this size a file goes in the request that announces it, in bytes. */
const SMALL = 1024 * 1024;
/** How long one waits before it is tried again: longer each time, in milliseconds. */
const WAITS = [300, 1000, 2000, 4000, 8000, 15_000];
/** Names that are tried where both are kept. */
const NAMES = 100;
/** Where the tab remembers what it had not finished; at most so many. */
const KEPT = "gaveta-queue";
const KEPT_MOST = 5000;

/** @type {Item[]} */
export const items = [];
/** How many are in each state, kept up to date. @type {Record<State, number>} */
export const counts = { waiting: 0, sending: 0, lost: 0, paused: 0, asking: 0, failed: 0, done: 0, skipped: 0, forgotten: 0 };
/** Bytes of all that is neither skipped nor forgotten, and of those what arrived. */
export const sum = { all: 0, sent: 0 };

/** @type {(() => void)[]} */
const listeners = [];
let next = 1;
let first = 0;
let told = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let keeping;
let signedOut = false;

/** @param {() => void} listener called soon after something changed */
export function onChange(listener) {
  listeners.push(listener);
}

function changed() {
  if (!told) {
    told = true;
    setTimeout(() => {
      told = false;
      for (const listener of listeners) listener();
    }, 100);
  }
  keeping ??= setTimeout(keep, 1000);
}

/**
 * @param {Item} item
 * @param {State} state
 */
function set(item, state) {
  counts[item.state] -= 1;
  item.state = state;
  counts[state] += 1;
  changed();
}

/**
 * @param {Item} item
 * @param {number} sent
 */
function sent(item, sent) {
  sum.sent += sent - item.sent;
  item.sent = sent;
  changed();
}

/** @param {Item} item */
export const isOver = (item) => ["done", "skipped", "failed"].includes(item.state);
/** Is anything on its way, or going to be? */
export const isBusy = () => counts.waiting + counts.sending + counts.lost + counts.asking > 0;
/** Has the server asked for a sign-in? */
export const isSignedOut = () => signedOut;

/**
 * Puts files into the queue.
 * @param {{file: File, path: string}[]} files
 */
export function add(files) {
  const forgotten = new Map(items.filter((item) => item.state === "forgotten").map((item) => [key(item.wanted, item.size, item.modified), item]));
  /** @type {Batch} */
  const batch = {};
  for (const { file, path } of files) {
    const old = forgotten.get(key(path, file.size, file.lastModified));
    if (old) {
      old.file = file;
      old.batch = batch;
      // It may have arrived just before the page was left.
      old.doubtful = true;
      first = Math.min(first, items.indexOf(old));
      sum.all += old.size;
      set(old, "waiting");
      continue;
    }
    items.push({ id: next, file, wanted: path, path, size: file.size, modified: file.lastModified, state: "waiting", sent: 0, code: "", tries: 0, number: 1, doubtful: false, batch });
    next += 1;
    counts.waiting += 1;
    sum.all += file.size;
  }
  changed();
  fill();
}

/** Starts as many as may be on their way. */
function fill() {
  while (counts.sending < AT_ONCE && !signedOut) {
    while (first < items.length && items[first]?.state !== "waiting") first += 1;
    const item = items[first];
    if (!item) return;
    start(item);
  }
}

/** @type {Promise<any> | undefined} */
let loading;

/** @returns {Promise<any>} tus-js-client */
function tus() {
  // It makes itself a global; kept as its makers publish it, so its types are not looked at.
  const vendor = "./vendor/tus.min.js";
  loading ??= import(vendor).then(() => /** @type {any} */ (window).tus);
  return loading;
}

/** @param {Item} item */
async function start(item) {
  set(item, "sending");
  try {
    const { Upload } = await tus();
    if (item.state !== "sending") return;
    // Under another name what was begun would not be found, and begun anew.
    if (item.doubtful && !(await stillMe())) return ask(item);
    if (item.doubtful && (await arrived(item))) return finish(item);
    if (item.state !== "sending") return;
    if (!item.upload) {
      item.upload = new Upload(item.file, options(item));
      if (item.size > SMALL) {
        const [before] = await item.upload.findPreviousUploads();
        if (before) item.upload.resumeFromPreviousUpload(before);
      }
    }
    if (item.state === "sending") item.upload.start();
  } catch {
    failed(item, 0, "disconnected");
  }
}

/** @param {Item} item */
function options(item) {
  return {
    endpoint: own("uploads"),
    metadata: { path: item.path },
    retryDelays: null,
    uploadDataDuringCreation: item.size <= SMALL,
    storeFingerprintForResuming: item.size > SMALL,
    removeFingerprintOnSuccess: true,
    fingerprint: async () => `gaveta:${key(item.path, item.size, item.modified)}`,
    onBeforeRequest: (/** @type {any} */ request) => {
      if (request.getMethod() !== "POST") return;
      request.setHeader("Gaveta-Modified", new Date(item.modified).toISOString());
      if (item.choice !== "replace") request.setHeader("If-None-Match", "*");
    },
    onProgress: (/** @type {number} */ bytes) => item.state === "sending" && sent(item, bytes),
    onSuccess: () => item.state === "sending" && finish(item),
    onError: (/** @type {any} */ error) => {
      const answer = error.originalResponse;
      failed(item, answer?.getStatus() ?? 0, answer?.getHeader("Gaveta-Error") ?? "disconnected");
    },
  };
}

/** @param {Item} item */
function finish(item) {
  sent(item, item.size);
  item.upload = undefined;
  item.file = null;
  set(item, "done");
  fill();
}

/**
 * @param {Item} item
 * @param {number} status 0 when there was no answer
 * @param {string} code
 */
async function failed(item, status, code) {
  if (item.state !== "sending") return;
  item.code = code;
  if (status === 0) {
    // A browser says the same about a line that is lost and a file that can no longer be read.
    if (!(await readable(item))) {
      item.code = "not-readable";
      set(item, "failed");
      return fill();
    }
    item.doubtful = true;
    return later(item);
  }
  if (status === 503 || status === 429 || status === 408 || status === 423 || code === "upload-lost" || code === "closing") return later(item);
  if (code === "sign-in-needed" || code === "wrong-password") return ask(item);
  if (code === "exists" || (code === "version-mismatch" && item.choice !== "replace")) return taken(item);
  set(item, "failed");
  fill();
}

/** @param {Item} item which waits, with all others, until somebody has signed in */
function ask(item) {
  if (item.state !== "sending") return;
  signedOut = true;
  set(item, "waiting");
  first = Math.min(first, items.indexOf(item));
}

/** Are we still who we were when the page was made? */
async function stillMe() {
  const me = document.querySelector("#drawer")?.getAttribute("data-me") ?? "visitor";
  if (me === "visitor") return true;
  try {
    return (await command("whoami", {})).name === me;
  } catch (error) {
    return !["sign-in-needed", "wrong-password"].includes(/** @type {any} */ (error).code);
  }
}

/** @param {Item} item */
async function readable(item) {
  try {
    await item.file?.slice(0, 1).arrayBuffer();
    return item.file !== null;
  } catch {
    return false;
  }
}

/** @param {Item} item tried again by itself */
function later(item) {
  if (item.state !== "sending") return;
  set(item, "lost");
  item.again = setTimeout(() => retry(item), WAITS[Math.min(item.tries, WAITS.length - 1)]);
  item.tries += 1;
  fill();
}

/** @param {Item} item */
function retry(item) {
  clearTimeout(item.again);
  item.again = undefined;
  if (item.state !== "lost") return;
  set(item, "waiting");
  first = Math.min(first, items.indexOf(item));
  fill();
}

/** What was waiting for the line is tried at once. */
export function hurry() {
  for (const item of items) if (item.state === "lost") retry(item);
}

/**
 * Is what we send there already? The answer to a request that published it may have been lost.
 * @param {Item} item
 */
async function arrived(item) {
  const answer = await fetch(address(item.path), { method: "HEAD", cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return false;
  const modified = Date.parse(answer.headers.get("gaveta-modified") ?? "");
  return Number(answer.headers.get("content-length")) === item.size && modified === item.modified;
}

/** @param {Item} item whose name is taken */
async function taken(item) {
  if (item.doubtful && (await arrived(item))) return finish(item);
  item.upload = undefined;
  const choice = item.choice ?? item.batch.choice;
  if (choice === undefined) set(item, "asking");
  else decide(item, choice);
  fill();
}

/**
 * @param {Item} item
 * @param {Choice} choice
 */
function decide(item, choice) {
  item.choice = choice;
  sent(item, 0);
  if (choice === "skip") {
    sum.all -= item.size;
    return set(item, "skipped");
  }
  if (choice === "keep") {
    item.number += 1;
    if (item.number > NAMES) return set(item, "failed");
    item.path = numbered(item.wanted, item.number);
  }
  set(item, "waiting");
  first = Math.min(first, items.indexOf(item));
}

/** @returns {Item[]} those whose names are taken */
export function asking() {
  return items.filter((item) => item.state === "asking");
}

/**
 * Answers for all that came with these.
 * @param {Choice} choice
 */
export function answer(choice) {
  for (const item of asking()) {
    item.batch.choice = choice;
    decide(item, choice);
  }
  fill();
}

/** @param {Item} item */
export function pause(item) {
  if (!["waiting", "sending", "lost"].includes(item.state)) return;
  clearTimeout(item.again);
  const was = item.state;
  set(item, "paused");
  if (was === "sending") item.upload?.abort();
  fill();
}

/** @param {Item} item paused or failed */
export function resume(item) {
  if (item.state === "paused" || item.state === "failed") {
    if (item.state === "failed") item.doubtful = true;
    item.tries = 0;
    set(item, "waiting");
    first = Math.min(first, items.indexOf(item));
    fill();
  }
}

/** @param {Item} item goes, and what arrived of it too */
export function cancel(item) {
  clearTimeout(item.again);
  const { upload, state } = item;
  item.upload = undefined;
  if (!isOver(item)) {
    if (state !== "forgotten") {
      sum.all -= item.size;
      sent(item, 0);
    }
    set(item, "skipped");
    upload?.abort(true).catch(() => {});
  }
  fill();
}

/** Takes what is over out of the list; with `failures` those too. @param {boolean} failures */
export function clear(failures) {
  leave((item) => item.state === "done" || item.state === "skipped" || (failures && (item.state === "failed" || item.state === "forgotten")));
}

/** @param {Item} failed one that failed leaves the list */
export function dismiss(failed) {
  leave((item) => item === failed && item.state === "failed");
}

/** @param {(item: Item) => boolean} gone is it to leave the list? Nothing of it is on its way. */
function leave(gone) {
  for (const item of items) {
    if (!gone(item)) continue;
    counts[item.state] -= 1;
    if (item.state === "done" || item.state === "failed") {
      sum.all -= item.size;
      sum.sent -= item.sent;
    }
  }
  const left = items.filter((item) => !gone(item));
  items.length = 0;
  items.push(...left);
  first = 0;
  changed();
}

/** Goes on after a sign-in. */
export function signedIn() {
  signedOut = false;
  changed();
  fill();
}

/**
 * Makes folders that hold nothing, which no file brings along.
 * @param {string[]} paths
 * @param {(path: string, error: unknown) => void} failed
 */
export async function folders(paths, failed) {
  for (const path of paths) {
    const names = path.split("/");
    for (let depth = 1; depth <= names.length; depth += 1) {
      const step = names.slice(0, depth).join("/");
      try {
        await command("make-folder", { path: step });
      } catch (error) {
        if (/** @type {any} */ (error).code !== "exists") {
          failed(step, error);
          break;
        }
      }
    }
  }
}

/**
 * @param {string} path
 * @param {number} size
 * @param {number} modified
 */
function key(path, size, modified) {
  return `${path}:${size}:${modified}`;
}

function keep() {
  keeping = undefined;
  const open = items.filter((item) => !["done", "skipped"].includes(item.state)).slice(0, KEPT_MOST);
  try {
    if (open.length === 0) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, JSON.stringify(open.map((item) => [item.wanted, item.size, item.modified])));
  } catch {
    // No room, or not allowed: the tab remembers nothing.
  }
}

/** Takes up what the tab had not finished when it was left. */
function recall() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
    for (const [wanted, size, modified] of kept) {
      items.push({ id: next, file: null, wanted, path: wanted, size, modified, state: "forgotten", sent: 0, code: "", tries: 0, number: 1, doubtful: true, batch: {} });
      next += 1;
      counts.forgotten += 1;
    }
  } catch {
    sessionStorage.removeItem(KEPT);
  }
}

recall();
addEventListener("online", hurry);
addEventListener("pagehide", keep);
addEventListener("beforeunload", (event) => {
  if (isBusy()) event.preventDefault();
});
