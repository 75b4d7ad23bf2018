// What is chosen: by click, with shift up to a row, all, none.

import { el, find, say } from "./dom.js";
import { box, onRows, pathOf, rows } from "./rows.js";
import { t } from "./text.js";

const list = /** @type {HTMLFormElement} */ (find("#list"));
const acts = /** @type {HTMLElement} */ (find(".acts", list));
const count = el("span", { class: "chosen", role: "status" });
const all = el("input", { type: "checkbox", "aria-label": t("js-select-all") });

/** @type {HTMLTableRowElement | null} */
let anchor = null;

/** @returns {string[]} the paths of what is chosen */
export function chosen() {
  return visible().filter((row) => box(row).checked).map(pathOf);
}

/** @returns {HTMLTableRowElement[]} the rows that the filter leaves */
export function visible() {
  return rows().filter((row) => !row.hidden);
}

/** @param {boolean} to */
export function chooseAll(to) {
  for (const row of visible()) box(row).checked = to;
  update();
}

/**
 * @param {HTMLTableRowElement} row
 * @param {boolean} range up to here, from the row that was chosen last
 * @param {boolean} [to]
 */
export function choose(row, range, to = !box(row).checked) {
  const shown = visible();
  const from = range && anchor ? shown.indexOf(anchor) : -1;
  const at = shown.indexOf(row);
  const [low, high] = from < 0 ? [at, at] : [Math.min(from, at), Math.max(from, at)];
  for (const each of shown.slice(low, high + 1)) box(each).checked = to;
  anchor = row;
  update();
}

export function update() {
  let n = 0;
  for (const row of rows()) {
    const on = box(row).checked && !row.hidden;
    row.classList.toggle("on", on);
    if (on) n += 1;
  }
  acts.hidden = n === 0;
  for (const act of acts.querySelectorAll("[data-act=rename], [data-act=share]")) /** @type {HTMLElement} */ (act).hidden = n !== 1;
  const words = n === 0 ? "" : t("js-chosen", { n });
  if (count.textContent !== words) count.textContent = words;
  all.checked = n > 0 && n === visible().length;
  all.indeterminate = n > 0 && !all.checked;
}

export function start() {
  find("thead td.c", list)?.append(all);
  acts.prepend(count);
  all.addEventListener("change", () => chooseAll(all.checked));
  list.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const row = /** @type {HTMLTableRowElement | null} */ (target.closest("#rows tr"));
    if (!row || target.closest("a, .name-edit")) return;
    if (target === box(row)) {
      choose(row, event.shiftKey, box(row).checked);
    } else if (getSelection()?.isCollapsed !== false || event.shiftKey) {
      choose(row, event.shiftKey);
      if (event.shiftKey) getSelection()?.removeAllRanges();
    }
  });
  onRows(update);
  update();
}

/**
 * Leaves only the rows whose names hold this.
 * @param {string} sought
 */
export function filter(sought) {
  const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const row of rows()) {
    const name = pathOf(row).slice(pathOf(row).lastIndexOf("/") + 1).toLowerCase();
    row.hidden = !words.every((word) => name.includes(word));
    if (!row.hidden) left += 1;
  }
  if (words.length > 0) say(t("js-filter-left", { n: left }));
  update();
}
