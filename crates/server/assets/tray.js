// The tray at the foot of the page: what is being sent, how fast, how long it takes yet, what
// failed and why.

import { nameOf, own } from "./api.js";
import { buttons, note, show } from "./dialog.js";
import { button, el, find, icon, say } from "./dom.js";
import * as queue from "./queue.js";
import { clock, size, spelled, t, why } from "./text.js";

/** Rows that are drawn; the rest is counted. */
const DRAWN = 60;
/** How long the rate is remembered, in seconds: it does not jump, and follows. */
const MEMORY = 5;

const heading = el("strong");
const detail = el("span", { class: "detail" });
const bar = el("progress", { max: 1, value: 0, "aria-label": t("js-progress") });
const list = el("ul", { class: "sending" });
const rest = el("p", { class: "quiet-text" });
const pauseAll = button("pause", t("js-pause-all"), () => queue.items.forEach(queue.pause), "bare plain");
const goOn = button("again", t("js-go-on"), () => queue.items.forEach(queue.resume), "bare plain");
const cancelAll = button("delete", t("js-cancel-all"), () => queue.items.forEach(queue.cancel), "bare plain");
const fold = button("down", t("js-fold"), () => tray.classList.toggle("folded"), "bare plain");
const clear = button("close", t("js-dismiss"), () => queue.clear(true), "bare plain");
const signIn = el("p", { class: "notice", hidden: true }, icon("alert"), el("span", {}, t("js-sign-in-again")), button("person", t("js-sign-in"), signInAgain, "primary"));
const tray = el("section", { class: "tray", "aria-label": t("js-sending"), hidden: true }, el("header", {}, icon("send"), el("div", { class: "what" }, heading, detail), pauseAll, goOn, cancelAll, fold, clear), bar, signIn, list, rest);
document.body.append(tray);

let rate = 0;
let before = { at: performance.now(), sent: 0 };
let said = "";
let asked = false;

/** Asks who it is, and goes on. */
async function signInAgain() {
  const me = find("#drawer")?.getAttribute("data-me") ?? "";
  const name = el("input", { id: "again-name", value: me === "visitor" ? "" : me, required: true, autocomplete: "username", autocapitalize: "none" });
  const password = el("input", { id: "again-password", type: "password", required: true, autocomplete: "current-password" });
  const { closed } = show(t("js-sign-in"), [el("label", { for: "again-name" }, t("js-name")), name, el("label", { for: "again-password" }, t("js-password")), password, buttons(t("js-sign-in"))]);
  (name.value ? password : name).focus();
  if ((await closed) !== "yes") return;
  const answer = await fetch(own("sign-in"), {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ name: name.value, password: password.value }),
  }).catch(() => null);
  if (answer?.ok) queue.signedIn();
  else note(why(answer?.headers.get("gaveta-error") ?? "disconnected"), { failed: true });
}

/** @type {Map<number, {row: HTMLLIElement, text: HTMLElement, bar: HTMLProgressElement, state: string}>} */
const drawn = new Map();

/** What is looked at first: what wants somebody, then what moves. @type {queue.State[]} */
const ORDER = ["failed", "asking", "forgotten", "sending", "lost", "paused", "waiting", "done", "skipped"];

function measure() {
  const now = performance.now();
  const passed = (now - before.at) / 1000;
  if (passed < 0.4) return;
  const speed = Math.max(0, queue.sum.sent - before.sent) / passed;
  const weight = 1 - Math.exp(-passed / MEMORY);
  rate = rate === 0 ? speed : rate + (speed - rate) * weight;
  before = { at: now, sent: queue.sum.sent };
}

/** @param {queue.Item} item */
function describe(item) {
  switch (item.state) {
    case "waiting": return t("js-state-waiting");
    case "sending": return `${size(item.sent)} / ${size(item.size)}`;
    case "lost": return t("js-state-lost");
    case "paused": return t("js-state-paused");
    case "asking": return t("js-state-asking");
    case "failed": return item.code === "not-readable" ? t("js-not-readable") : why(item.code);
    case "done": return item.path === item.wanted ? size(item.size) : t("js-sent-as", { name: nameOf(item.path) });
    case "skipped": return t("js-state-skipped");
    case "forgotten": return t("js-state-forgotten");
  }
}

/** @param {queue.Item} item */
function actions(item) {
  const act = (/** @type {string} */ drawing, /** @type {string} */ words, /** @type {(item: queue.Item) => void} */ does) =>
    button(drawing, `${words}: ${nameOf(item.wanted)}`, () => does(item), "bare plain");
  if (["waiting", "sending", "lost"].includes(item.state)) return [act("pause", t("js-pause"), queue.pause), act("close", t("js-cancel"), queue.cancel)];
  if (item.state === "paused") return [act("again", t("js-go-on"), queue.resume), act("close", t("js-cancel"), queue.cancel)];
  if (item.state === "failed") return [act("again", t("js-retry"), queue.resume), act("close", t("js-dismiss"), queue.dismiss)];
  if (item.state === "forgotten") return [act("close", t("js-dismiss"), queue.cancel)];
  return [];
}

/** @param {queue.Item} item */
function row(item) {
  let one = drawn.get(item.id);
  if (!one || one.state !== item.state) {
    const text = el("span", { class: "detail" });
    const progress = el("progress", { max: 1, value: 0, "aria-label": nameOf(item.wanted) });
    const mark = { done: "done", failed: "alert", asking: "alert", forgotten: "again" }[/** @type {string} */ (item.state)] ?? "file";
    const fresh = el("li", { class: item.state }, icon(mark), el("div", { class: "what" }, el("bdi", { title: spelled(item.path) }, spelled(nameOf(item.path))), text, item.state === "sending" || item.state === "paused" ? progress : null), ...actions(item));
    one?.row.replaceWith(fresh);
    one = { row: fresh, text, bar: progress, state: item.state };
    drawn.set(item.id, one);
  }
  one.text.textContent = describe(item);
  one.bar.value = item.size > 0 ? item.sent / item.size : 0;
  return one.row;
}

function render() {
  measure();
  const { counts, items, sum } = queue;
  tray.hidden = items.length === 0;
  if (items.length === 0) {
    drawn.clear();
    list.replaceChildren();
    rate = 0;
    return;
  }
  const all = items.length - counts.skipped - counts.forgotten;
  const left = rate > 0 ? (sum.all - sum.sent) / rate : Infinity;
  const busy = queue.isBusy();
  const title = busy
    ? t("js-sending-of", { done: counts.done, all })
    : counts.failed > 0 ? t("js-sent-but", { done: counts.done, failed: counts.failed })
    : counts.paused > 0 ? t("js-state-paused")
    : counts.forgotten > 0 ? t("js-unfinished", { n: counts.forgotten })
    : t("js-sent", { n: counts.done });
  heading.textContent = title;
  detail.textContent = busy && counts.sending > 0
    ? [`${size(sum.sent)} / ${size(sum.all)}`, `${size(rate)}/s`, Number.isFinite(left) ? t("js-left", { time: clock(left) }) : ""].filter(Boolean).join(" · ")
    : counts.lost > 0 ? t("js-state-lost") : "";
  bar.value = sum.all > 0 ? sum.sent / sum.all : all > 0 ? counts.done / all : 1;
  pauseAll.hidden = !busy;
  goOn.hidden = counts.paused + counts.failed === 0;
  cancelAll.hidden = !busy && counts.paused === 0;
  clear.hidden = busy || counts.paused > 0;
  signIn.hidden = !queue.isSignedOut();
  const words = busy ? "" : title;
  if (words !== said) say((said = words));
  const order = new Map(ORDER.map((state, i) => [state, i]));
  const shown = items.length <= DRAWN ? [...items] : ORDER.flatMap((state) => (counts[state] > 0 ? first(state) : []));
  shown.sort((a, b) => (order.get(a.state) ?? 0) - (order.get(b.state) ?? 0) || a.id - b.id);
  const cut = shown.slice(0, DRAWN);
  const ids = new Set(cut.map((item) => item.id));
  for (const [id, one] of drawn) {
    if (ids.has(id)) continue;
    one.row.remove();
    drawn.delete(id);
  }
  cut.forEach((item, i) => {
    const li = row(item);
    if (list.children[i] !== li) list.insertBefore(li, list.children[i] ?? null);
  });
  rest.textContent = items.length > cut.length ? t("js-and-more", { n: items.length - cut.length }) : "";
  ask();
}

/** @param {queue.State} state @returns {queue.Item[]} the first few of them */
function first(state) {
  const found = [];
  for (const item of queue.items) {
    if (item.state !== state) continue;
    found.push(item);
    if (found.length >= DRAWN) break;
  }
  return found;
}

/** Asks once what to do about all names that are taken. */
async function ask() {
  const conflicts = queue.asking();
  if (conflicts.length === 0 || asked || document.querySelector("dialog[open]")) return;
  asked = true;
  const may = find("#drawer")?.getAttribute("data-may")?.split(" ") ?? [];
  const choice = (/** @type {string} */ value, /** @type {string} */ words, /** @type {boolean} */ on) =>
    el("label", { class: "choice" }, el("input", { type: "radio", name: "taken", value, checked: on }), words);
  const names = conflicts.slice(0, 8).map((item) => el("li", {}, el("bdi", {}, spelled(item.path))));
  if (conflicts.length > 8) names.push(el("li", {}, t("js-and-more", { n: conflicts.length - 8 })));
  const { dialog, closed } = show(t("js-taken"), [
    el("p", {}, t("js-taken-many", { n: conflicts.length })),
    el("ul", { class: "names" }, ...names),
    el("fieldset", {}, el("legend", {}, t("js-taken-what")), choice("keep", t("js-taken-keep"), true), may.includes("replace") ? choice("replace", t("js-taken-replace"), false) : null, choice("skip", t("js-taken-skip"), false)),
    buttons(t("js-go-on")),
  ]);
  const yes = await closed;
  const value = /** @type {HTMLInputElement | null} */ (find("input[name=taken]:checked", dialog))?.value;
  asked = false;
  queue.answer(yes === "yes" ? /** @type {queue.Choice} */ (value ?? "skip") : "skip");
}

queue.onChange(render);
setInterval(() => queue.isBusy() && render(), 500);
render();
