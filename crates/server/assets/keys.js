// The keyboard: everything that the mouse can do, and quicker.

import { el, find } from "./dom.js";
import { show } from "./dialog.js";
import { focusOn } from "./rows.js";
import { choose, chooseAll, chosen, visible } from "./select.js";
import { t } from "./text.js";

/**
 * @param {{act: (word: string) => void, filter: () => void, view: () => void}} does
 */
export function start(does) {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open], details.drop[open]")) return;
    const types = target.matches("input:not([type=checkbox]), textarea, select") || target.isContentEditable;
    if (types) return;
    const row = /** @type {HTMLTableRowElement | null} */ (target.closest("#rows tr"));
    const meta = event.ctrlKey || event.metaKey;
    if (meta) {
      if (event.key === "a" && visible().length > 0) {
        event.preventDefault();
        chooseAll(true);
      }
      return;
    }
    const moves = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity })[event.key];
    if (moves !== undefined && (row || event.key === "ArrowDown")) {
      const shown = visible();
      const at = row ? shown.indexOf(row) : -1;
      const to = shown[Math.min(shown.length - 1, Math.max(0, at + moves))];
      if (to && (row || target === document.body || target.id === "main")) {
        event.preventDefault();
        focusOn(to);
        if (event.shiftKey) choose(to, true, true);
      }
      return;
    }
    if (event.key === " " && row && !target.matches("input")) {
      event.preventDefault();
      choose(row, event.shiftKey);
    } else if (event.key === "Escape" && chosen().length > 0) {
      chooseAll(false);
    } else if (event.key === "Delete" || event.key === "F2") {
      if (chosen().length === 0 && row) choose(row, false, true);
      if (chosen().length > 0) {
        event.preventDefault();
        does.act(event.key === "F2" ? "rename" : "delete");
      }
    } else if (event.key === "Backspace") {
      const up = document.querySelectorAll(".crumbs a");
      const parent = /** @type {HTMLAnchorElement | undefined} */ (up[up.length - 2]);
      if (parent) location.href = parent.href;
    } else if (event.key === "/") {
      event.preventDefault();
      does.filter();
    } else if (event.key === "?") {
      help();
    }
  });
}

function help() {
  const keys = /** @type {[string, string][]} */ ([
    ["↑ ↓", t("js-key-move")],
    ["Enter", t("js-key-open")],
    ["Space", t("js-key-choose")],
    ["Shift + ↑ ↓", t("js-key-range")],
    ["Ctrl + A", t("js-key-all")],
    ["F2", t("js-key-rename")],
    ["Delete", t("js-key-delete")],
    ["Backspace", t("js-key-up")],
    ["/", t("js-key-filter")],
    ["Esc", t("js-key-escape")],
  ]);
  const terms = keys.flatMap(([key, means]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, means)]);
  show(t("js-keys"), [el("dl", { class: "keys" }, ...terms)]);
  find("dialog[open] button")?.dispatchEvent(new Event("focus"));
}
