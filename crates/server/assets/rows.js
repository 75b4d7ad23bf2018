// The rows of the folder: kept as the server shows them, and longer as one scrolls.

import { join } from "./api.js";
import { find, parsed, say } from "./dom.js";
import { t } from "./text.js";

/** The entries of a page; as many as the server gives at once without being asked. */
const PAGE = 1000;
/** Rows that are kept in one page. Beyond, the way leads to the next page. */
const MOST = 10_000;
/** No more often than this is the list fetched again, in milliseconds. */
const CALM = 1000;

const folder = /** @type {HTMLElement} */ (find("#drawer")).dataset.path ?? "";
const body = /** @type {HTMLTableSectionElement} */ (find("#rows"));

/** @type {(() => void)[]} */
const listeners = [];

/**
 * Calls this whenever rows came or went.
 * @param {() => void} listener
 */
export function onRows(listener) {
  listeners.push(listener);
}

/** @returns {HTMLTableRowElement[]} */
export function rows() {
  return [...body.rows];
}

/** @param {HTMLTableRowElement} row */
export function box(row) {
  return /** @type {HTMLInputElement} */ (find("input", row));
}

/** @param {HTMLTableRowElement} row */
export function pathOf(row) {
  const { dataset, value } = box(row);
  return dataset.path ?? join(folder, value);
}

/** @param {URL} url */
async function fetched(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(60_000) });
  const page = parsed(await answer.text());
  if (!answer.ok || !find("#rows", page) || find("[data-cut]", page)) throw new Error("cut");
  return page;
}

/**
 * Takes the rows of a page in place of ours; what did not change stays as it is, chosen or not.
 * @param {Document} page
 */
function take(page) {
  const had = new Map(rows().map((row) => [pathOf(row), row]));
  const came = /** @type {HTMLTableSectionElement} */ (find("#rows", page));
  const kept = [...came.rows].map((row) => {
    const old = had.get(pathOf(row));
    if (!old) return document.adoptNode(row);
    had.delete(pathOf(row));
    const differs = [...row.cells].some((cell, i) => i > 0 && cell.innerHTML !== old.cells[i]?.innerHTML);
    if (!differs) return old;
    const fresh = document.adoptNode(row);
    box(fresh).checked = box(old).checked;
    return fresh;
  });
  const at = document.activeElement?.closest("tr");
  const place = at ? rows().indexOf(/** @type {HTMLTableRowElement} */ (at)) : -1;
  for (const gone of had.values()) gone.remove();
  kept.forEach((row, i) => {
    if (body.rows[i] !== row) body.insertBefore(row, body.rows[i] ?? null);
  });
  while (body.rows.length > kept.length) body.rows[body.rows.length - 1]?.remove();
  // Whoever was at a row that went is at the one that took its place.
  if (at && !at.isConnected) focusOn(body.rows[Math.min(place, body.rows.length - 1)]);
  find("#end")?.replaceWith(document.adoptNode(/** @type {Element} */ (find("#end", page))));
  changed();
}

/** @param {HTMLTableRowElement | undefined} row */
export function focusOn(row) {
  if (row) /** @type {HTMLElement | null} */ (find("a, input", row.cells[1]?.querySelector("a") ? row.cells[1] : row))?.focus();
}

function changed() {
  watchEnd();
  for (const listener of listeners) listener();
}

let last = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let due;
/** @type {Promise<void>} */
let turn = Promise.resolve();

/** Fetches the rows again, soon; several calls become one. */
export function refresh() {
  if (due !== undefined) return;
  const wait = Math.max(100, last + CALM - Date.now());
  due = setTimeout(() => {
    due = undefined;
    last = Date.now();
    turn = turn.then(again).catch(() => {});
  }, wait);
}

async function again() {
  const url = new URL(location.href);
  const count = body.rows.length;
  if (count > PAGE) url.searchParams.set("limit", String(Math.min(MOST, Math.ceil((count + 1) / PAGE) * PAGE)));
  const page = await fetched(url);
  // Whoever writes a new name here is not disturbed: the rows come when that is over.
  if (find(".name-edit", body)) return;
  take(page);
  last = Date.now();
}

/** @type {IntersectionObserver | undefined} */
let watcher;

function watchEnd() {
  watcher?.disconnect();
  const more = /** @type {HTMLAnchorElement | null} */ (find("#more"));
  if (!more || body.rows.length >= MOST) return;
  watcher = new IntersectionObserver((seen) => {
    if (seen.some((entry) => entry.isIntersecting)) {
      watcher?.disconnect();
      turn = turn.then(() => longer(more)).catch(() => {});
    }
  }, { rootMargin: "1200px" });
  watcher.observe(more);
}

/** @param {HTMLAnchorElement} more */
async function longer(more) {
  if (!more.isConnected) return;
  const page = await fetched(new URL(more.href));
  const came = /** @type {HTMLTableSectionElement} */ (find("#rows", page));
  const there = new Set(rows().map(pathOf));
  body.append(...[...came.rows].filter((row) => !there.has(pathOf(row))).map((row) => document.adoptNode(row)));
  find("#end")?.replaceWith(document.adoptNode(/** @type {Element} */ (find("#end", page))));
  say(t("js-rows", { n: body.rows.length }));
  changed();
}

watchEnd();
