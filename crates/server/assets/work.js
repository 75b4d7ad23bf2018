// Work on what is chosen: get, rename in place, move, copy, delete; and new folders.

import { address, command, encoded, Failure, join, nameOf, own, parentOf } from "./api.js";
import { buttons, line, note, show, sure } from "./dialog.js";
import { button, el, find, icon } from "./dom.js";
import { pathOf, refresh, rows } from "./rows.js";
import { chooseAll, chosen } from "./select.js";
import { spelled, t } from "./text.js";

/** Changes at once. */
const AT_ONCE = 4;

const drawer = /** @type {HTMLElement} */ (find("#drawer"));
const folder = drawer.dataset.path ?? "";

/**
 * Does something to each; what fails is told and stays, the others go on.
 * @param {string[]} paths
 * @param {(path: string) => Promise<unknown>} does
 * @returns {Promise<string[]>} those it was done to
 */
async function each(paths, does) {
  const waiting = [...paths];
  /** @type {string[]} */
  const done = [];
  /** @type {string[]} */
  const failed = [];
  const worker = async () => {
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
      try {
        await does(path);
        done.push(path);
      } catch (error) {
        if (failed.length < 3) note(error instanceof Error ? error.message : String(error), { failed: true });
        failed.push(path);
        if (error instanceof Failure && ["sign-in-needed", "disconnected", "closing"].includes(error.code)) waiting.length = 0;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failed.length > 3) note(t("js-and-more-failed", { n: failed.length - 3 }), { failed: true });
  refresh();
  return done;
}

/** @param {string[]} paths */
function names(paths) {
  const shown = paths.slice(0, 12).map((path) => el("li", {}, el("bdi", {}, spelled(nameOf(path)))));
  if (paths.length > 12) shown.push(el("li", {}, t("js-and-more", { n: paths.length - 12 })));
  return el("ul", { class: "names" }, ...shown);
}

async function remove() {
  const paths = chosen();
  const yes = await sure(t("js-delete"), [el("p", {}, t("js-delete-sure", { n: paths.length })), names(paths)], t("js-delete"), "danger");
  if (!yes) return;
  const done = await each(paths, (path) => command("delete", { path, recursive: true }));
  if (done.length === 0) return;
  const kept = await command("trash-state", {}).then(() => true, () => false);
  note(t("js-deleted", { n: done.length }), kept ? { act: { words: t("js-undo"), pressed: () => undo(done) } } : {});
}

/**
 * Brings back what was deleted just now, from the trash.
 * @param {string[]} paths
 */
async function undo(paths) {
  const back = await each(paths, async (path) => {
    /** @type {{list: {id: string}[]}} */
    const { list } = await command("trash", { path, exact: true, limit: 1 });
    if (!list[0]) throw new Failure("not-found", path);
    await command("restore", { trashed: list[0].id });
  });
  if (back.length > 0) note(t("js-restored", { n: back.length }));
}

function rename() {
  const [path] = chosen();
  const row = rows().find((row) => pathOf(row) === path);
  const cell = row?.cells[1];
  if (!path || !cell) return;
  const input = el("input", { class: "name-edit", value: nameOf(path), maxlength: 255, "aria-label": t("js-new-name"), autocomplete: "off", dir: "auto" });
  const before = [...cell.childNodes];
  cell.replaceChildren(input);
  input.focus();
  const dot = input.value.lastIndexOf(".");
  input.setSelectionRange(0, dot > 0 ? dot : input.value.length);
  let over = false;
  const end = async (/** @type {boolean} */ take) => {
    if (over) return;
    over = true;
    const name = input.value.trim();
    cell.replaceChildren(...before);
    /** @type {HTMLElement | null} */ (find("a", cell))?.focus();
    // What came meanwhile waited.
    refresh();
    if (!take || name === "" || name === nameOf(path)) return;
    await each([path], () => command("rename", { from: path, to: join(parentOf(path), name), replace: "never" }));
  };
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") {
      event.preventDefault();
      end(true);
    } else if (event.key === "Escape") end(false);
  });
  // Whoever only looks at another window comes back to it.
  input.addEventListener("blur", () => document.hasFocus() && end(true));
}

/**
 * Lets somebody walk to a folder.
 * @param {string} title
 * @param {string} yes
 * @returns {Promise<string | null>}
 */
async function place(title, yes) {
  let at = folder;
  const way = el("nav", { class: "crumbs", "aria-label": t("js-folder") });
  const inside = el("ul", { class: "folders", tabindex: -1 });
  const fill = async () => {
    const names = at === "" ? [] : at.split("/");
    const steps = ["", ...names.map((_, i) => names.slice(0, i + 1).join("/"))];
    way.replaceChildren(
      el("ol", {}, ...steps.map((step) => el("li", {}, el("button", { type: "button", class: "plain", onclick: () => go(step) }, step === "" ? icon("drawer") : null, step === "" ? el("span", { class: "quiet" }, t("js-root")) : el("bdi", {}, nameOf(step)))))),
    );
    inside.replaceChildren(el("li", {}, "…"));
    /** @type {import("./api.js").Entry[]} */
    const folders = [];
    let after;
    const wanted = at;
    try {
      do {
        /** @type {{list: import("./api.js").Entry[], end: {next?: string}}} */
        const page = await command("list", { path: wanted, limit: 100, after });
        folders.push(...page.list.filter((entry) => entry.kind === "folder"));
        after = page.end.next;
      } while (after && folders.length < 500);
    } catch (error) {
      inside.replaceChildren(el("li", { role: "alert" }, String(error instanceof Error ? error.message : error)));
      return;
    }
    if (wanted !== at) return;
    const items = folders.map((entry) => el("li", {}, button("folder", spelled(nameOf(entry.path)), () => go(entry.path), "plain")));
    inside.replaceChildren(...(items.length > 0 ? items : [el("li", { class: "quiet-text" }, t("js-no-folders"))]));
  };
  const go = (/** @type {string} */ to) => {
    at = to;
    fill().then(() => inside.focus());
  };
  const fresh = button("new", t("js-new-folder"), async () => {
    const name = await line(t("js-new-folder"), t("js-name"), t("js-make"));
    if (!name) return;
    try {
      await command("make-folder", { path: join(at, name) });
      go(join(at, name));
    } catch (error) {
      note(error instanceof Error ? error.message : String(error), { failed: true });
    }
  });
  const { closed } = show(title, [way, inside, el("p", {}, fresh), buttons(yes)], "place");
  fill();
  return (await closed) === "yes" ? at : null;
}

/** @param {"rename" | "copy"} how */
async function elsewhere(how) {
  const paths = chosen();
  const words = how === "copy" ? t("js-copy-here") : t("js-move-here");
  const to = await place(how === "copy" ? t("js-copy", { n: paths.length }) : t("js-move", { n: paths.length }), words);
  if (to === null) return;
  const done = await each(paths, (path) => command(how, { from: path, to: join(to, nameOf(path)), replace: "never" }));
  if (done.length > 0) note(how === "copy" ? t("js-copied", { n: done.length }) : t("js-moved", { n: done.length }));
  chooseAll(false);
}

/** Gets what is chosen: one file as it is, anything else as one archive. */
function get() {
  const paths = chosen();
  const row = rows().find((row) => pathOf(row) === paths[0]);
  const one = paths.length === 1 && row?.dataset.k === "file" ? paths[0] : undefined;
  const query = new URLSearchParams(paths.map((path) => ["name", nameOf(path)]));
  const base = own(folder === "" ? "zip/" : `zip/${encoded(folder)}/`);
  const everything = paths.length === rows().length && !find("#more");
  const href = one !== undefined ? `${address(one)}?download=true` : everything ? base : `${base}?${query}`;
  if (href.length > 60_000) {
    note(t("js-too-many"), { failed: true });
    return;
  }
  el("a", { href, download: true }).click();
}

/** @param {string} path */
async function share(path) {
  const { ask } = await import("./share.js");
  ask(path);
}

/** @param {string} word */
export function act(word) {
  if (chosen().length === 0) return;
  if (word === "get") get();
  else if (word === "share") share(chosen()[0] ?? folder);
  else if (word === "delete") remove();
  else if (word === "rename") rename();
  else if (word === "move") elsewhere("rename");
  else if (word === "copy") elsewhere("copy");
}

async function makeFolder() {
  const name = await line(t("js-new-folder"), t("js-name"), t("js-make"));
  if (!name) return;
  const path = join(folder, name);
  const done = await each([path], () => command("make-folder", { path }));
  if (done.length > 0) note(t("js-made", { name }));
}

export function start() {
  for (const pressed of document.querySelectorAll("[data-act]")) {
    pressed.addEventListener("click", (event) => {
      event.preventDefault();
      act(/** @type {HTMLElement} */ (pressed).dataset.act ?? "");
    });
  }
  find("#share-folder")?.addEventListener("click", (event) => {
    event.preventDefault();
    share(folder);
  });
  find("#new summary")?.addEventListener("click", (event) => {
    event.preventDefault();
    makeFolder();
  });
}
