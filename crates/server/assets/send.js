// Files on their way in: dropped anywhere, whole folders too, pasted, chosen, or taken by a camera.

import { join } from "./api.js";
import { note } from "./dialog.js";
import { button, el, find, icon } from "./dom.js";
import { t } from "./text.js";

/** The most files that are gathered at once. */
const MOST = 100_000;

/** @typedef {{file: File, path: string}} Found */

const folder = /** @type {HTMLElement} */ (find("#drawer")).dataset.path ?? "";

async function queue() {
  const [queue] = await Promise.all([import("./queue.js"), import("./tray.js")]);
  return queue;
}

/**
 * @param {Found[]} files
 * @param {string[]} [empty] folders that hold nothing
 */
export async function send(files, empty = []) {
  const { add, folders } = await queue();
  add(files.map(({ file, path }) => ({ file, path: join(folder, path) })));
  await folders(empty.map((path) => join(folder, path)), (path, error) => {
    note(error instanceof Error ? error.message : `${path}: ${error}`, { failed: true });
  });
}

/** @param {FileList | File[]} files as an input or the clipboard gives them */
function chosen(files) {
  send([...files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
}

/**
 * What was dropped, folders walked to their end.
 * @param {DataTransferItemList} items read at once: they are gone after the event
 */
async function dropped(items) {
  /** @type {Found[]} */
  const files = [];
  /** @type {string[]} */
  const empty = [];
  const tops = [...items].filter((item) => item.kind === "file").map((item) => ({ entry: item.webkitGetAsEntry?.() ?? null, file: item.getAsFile() }));
  /** @type {FileSystemEntry[]} */
  const pending = [];
  for (const { entry, file } of tops) {
    if (entry) pending.push(entry);
    else if (file) files.push({ file, path: file.name });
  }
  while (pending.length > 0) {
    const entry = /** @type {FileSystemEntry} */ (pending.shift());
    const path = entry.fullPath.replace(/^\//, "");
    try {
      if (entry.isFile) {
        const file = await new Promise((/** @type {(file: File) => void} */ resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
        files.push({ file, path });
      } else {
        const inside = await children(/** @type {FileSystemDirectoryEntry} */ (entry));
        if (inside.length === 0) empty.push(path);
        pending.unshift(...inside);
      }
    } catch {
      note(t("js-cannot-read", { name: path }), { failed: true });
    }
    if (files.length > MOST) {
      note(t("js-too-many"), { failed: true });
      break;
    }
  }
  return { files, empty };
}

/** @param {FileSystemDirectoryEntry} entry */
async function children(entry) {
  const reader = entry.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    // A browser gives a hundred at a time, and none at the end.
    const some = await new Promise((/** @type {(entries: FileSystemEntry[]) => void} */ resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

function dragging() {
  const veil = el("div", { class: "veil", hidden: true }, el("div", {}, icon("drawer"), el("p", {}, t("js-drop"))));
  document.body.append(veil);
  const files = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  let inside = 0;
  addEventListener("dragenter", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    inside += 1;
    veil.hidden = false;
  });
  addEventListener("dragover", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
  });
  addEventListener("dragleave", (event) => {
    if (!files(event)) return;
    inside = Math.max(0, inside - 1);
    veil.hidden = inside === 0;
  });
  addEventListener("drop", async (event) => {
    if (!event.dataTransfer || !files(event)) return;
    event.preventDefault();
    inside = 0;
    veil.hidden = true;
    const { files: found, empty } = await dropped(event.dataTransfer.items);
    send(found, empty);
  });
}

/**
 * A way to choose files.
 * @param {string} drawing
 * @param {string} words
 * @param {Record<string, string | boolean>} props
 */
function picker(drawing, words, props) {
  const input = el("input", { type: "file", multiple: true, hidden: true, ...props });
  input.addEventListener("change", () => {
    if (input.files) chosen(input.files);
    input.value = "";
    /** @type {HTMLDetailsElement | null} */ (find("#send"))?.removeAttribute("open");
  });
  return [button(drawing, words, () => input.click()), input];
}

/** @param {boolean} may send here? */
export function start(may) {
  if (may) {
    const panel = find("#send .panel");
    panel?.replaceChildren(
      ...picker("file", t("js-pick-files"), { id: "pick-files" }),
      ...picker("folder", t("js-pick-folder"), { id: "pick-folder", webkitdirectory: true }),
      ...(matchMedia("(pointer: coarse)").matches ? picker("camera", t("js-camera"), { id: "pick-camera", accept: "image/*", capture: "environment", multiple: false }) : []),
      el("p", { class: "quiet-text" }, t("js-or-drop")),
    );
    dragging();
    addEventListener("paste", (event) => {
      const files = event.clipboardData?.files;
      if (!files || files.length === 0 || /** @type {Element} */ (event.target).closest("input, textarea, dialog")) return;
      event.preventDefault();
      // What is copied from a program has a name that says nothing; its time does.
      const stamp = new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-");
      send([...files].map((file, i) => ({ file, path: /^image\.\w+$/.test(file.name) ? `${stamp}${i ? `-${i}` : ""}.${file.name.split(".").pop()}` : file.name })));
    });
  }
  if (sessionStorage.getItem("gaveta-queue")) queue();
}
