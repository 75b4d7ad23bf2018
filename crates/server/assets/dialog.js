// Questions in front of the page: one at a time, closed by Escape, the focus back where it was.

import { button, el } from "./dom.js";
import { spelled, t } from "./text.js";

/**
 * Shows a dialog until it is closed.
 * @param {string} title
 * @param {(Node | string | null)[]} parts
 * @param {string} [kind] its class
 * @param {"form" | "div"} [frame] a form, whose buttons close it; or not, where there are forms in it
 * @returns {{dialog: HTMLDialogElement, closed: Promise<string>}} what it was closed with; empty
 *   when it was dismissed
 */
export function show(title, parts, kind = "", frame = "form") {
  const before = document.activeElement;
  const heading = el("h2", { id: `dialog-${Date.now()}` }, title);
  const close = button("close", t("js-close"), () => dialog.close(""), "bare plain");
  const form = el(frame, { method: frame === "form" ? "dialog" : undefined }, el("div", { class: "head" }, heading, close), ...parts);
  const dialog = el("dialog", { class: kind || undefined, "aria-labelledby": heading.id }, form);
  document.body.append(dialog);
  dialog.showModal();
  const closed = new Promise((/** @type {(value: string) => void} */ resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      // Whoever has gone on meanwhile stays where they are.
      const lost = document.activeElement === null || document.activeElement === document.body;
      if (lost && before instanceof HTMLElement && before.isConnected) before.focus();
      resolve(dialog.returnValue);
    });
  });
  return { dialog, closed };
}

/**
 * The buttons at the end of a dialog.
 * @param {string} yes
 * @param {string} [kind]
 */
export function buttons(yes, kind = "primary") {
  return el(
    "p",
    { class: "links" },
    el("button", { class: kind, value: "yes" }, yes),
    el("button", { value: "", formnovalidate: true }, t("js-cancel")),
  );
}

/**
 * Asks for one line.
 * @param {string} title
 * @param {string} label
 * @param {string} yes
 * @param {string} [value]
 * @returns {Promise<string | null>} none when it was dismissed
 */
export async function line(title, label, yes, value = "") {
  const input = el("input", { id: "dialog-line", value, required: true, maxlength: 255, autocomplete: "off", dir: "auto" });
  const { closed } = show(title, [el("label", { for: "dialog-line" }, label), input, buttons(yes)]);
  input.focus();
  const dot = value.lastIndexOf(".");
  input.setSelectionRange(0, dot > 0 ? dot : value.length);
  return (await closed) === "yes" ? input.value.trim() : null;
}

/**
 * Asks for a yes.
 * @param {string} title
 * @param {(Node | string)[]} parts
 * @param {string} yes
 * @param {string} [kind]
 */
export async function sure(title, parts, yes, kind = "primary") {
  const { closed } = show(title, [...parts, buttons(yes, kind)]);
  return (await closed) === "yes";
}

/** @type {HTMLElement | undefined} */
let shelf;

/**
 * A note at the foot of the page. A failure stays until it is dismissed; anything else goes by
 * itself, unless somebody is at it.
 * @param {string} words
 * @param {{failed?: boolean, act?: {words: string, pressed: () => void}}} [options]
 */
export function note(words, { failed = false, act } = {}) {
  shelf ??= document.body.appendChild(el("div", { class: "notes" }));
  const gone = () => box.remove();
  const box = el(
    "div",
    { class: failed ? "note failed" : "note", role: failed ? "alert" : "status" },
    el("span", {}, spelled(words)),
    act ? el("button", { type: "button", onclick: () => { gone(); act.pressed(); } }, act.words) : null,
    button("close", t("js-dismiss"), gone, "bare plain"),
  );
  shelf.append(box);
  if (!failed) {
    const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, 4000) : gone());
    setTimeout(leave, act ? 12_000 : 6000);
  }
}
