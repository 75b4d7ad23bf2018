// The administrator's corner, live: what travels now and how fast, and what happens.

import { own } from "./api.js";
import { el, find, icon, parsed } from "./dom.js";
import { size, spelled, t } from "./text.js";

/** How often the server is asked, and for how long back the graph shows it. */
const EVERY = 2000;
const POINTS = 60;
const EVENTS = 50;

/** @type {{at: number, received: number, sent: number} | undefined} */
let before;
/** @type {{received: number, sent: number}[]} */
const rates = [];

const space = "http://www.w3.org/2000/svg";
const lines = { received: document.createElementNS(space, "polyline"), sent: document.createElementNS(space, "polyline") };
const words = { received: el("span", { class: "in" }), sent: el("span", { class: "out" }) };

function graph() {
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 600 120");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "graph");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", t("js-graph"));
  for (const [name, line] of Object.entries(lines)) {
    line.setAttribute("class", name === "received" ? "in" : "out");
    svg.append(line);
  }
  find("#graph")?.append(el("p", { class: "rates" }, words.received, words.sent));
  find("#graph")?.append(svg);
}

function draw() {
  const top = Math.max(1, ...rates.flatMap(({ received, sent }) => [received, sent]));
  for (const name of /** @type {("received" | "sent")[]} */ (["received", "sent"])) {
    const points = rates.map((rate, i) => `${(600 * (i + POINTS - rates.length)) / (POINTS - 1)},${(116 - (110 * rate[name]) / top).toFixed(1)}`);
    lines[name].setAttribute("points", points.join(" "));
    const now = `${size(rates.at(-1)?.[name] ?? 0)}/s`;
    words[name].textContent = name === "received" ? t("js-in", { rate: now }) : t("js-out", { rate: now });
  }
}

async function look() {
  const answer = await fetch(own("health"), { signal: AbortSignal.timeout(10_000) }).catch(() => null);
  if (!answer?.ok) return;
  const now = await answer.json();
  const at = performance.now();
  for (const fact of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-fact]"))) {
    const name = fact.dataset.fact ?? "";
    const value = now[name];
    fact.textContent = name === "received" || name === "sent" ? size(value) : new Intl.NumberFormat(document.documentElement.lang).format(value);
  }
  if (before) {
    const seconds = (at - before.at) / 1000;
    rates.push({ received: Math.max(0, now.received - before.received) / seconds, sent: Math.max(0, now.sent - before.sent) / seconds });
    if (rates.length > POINTS) rates.shift();
    draw();
  }
  before = { at, received: now.received, sent: now.sent };
}

/** Takes over what the server's page now says of who is connected and what is under way. */
async function lookAgain() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10_000) }).catch(() => null);
  if (!answer?.ok) return;
  const page = parsed(await answer.text());
  for (const part of ["#connected", "#uploads"]) {
    const [old, fresh] = [find(part), find(part, page)];
    // Whoever is about to press something there is not disturbed.
    if (!old || !fresh || old.contains(document.activeElement) || old.innerHTML === fresh.innerHTML) continue;
    old.replaceWith(document.adoptNode(fresh));
  }
}

/** @param {{what: string, path: string, by: string, entry?: {path: string}}} event */
export function happened(event) {
  const list = find("#events");
  const sign = { created: "send", changed: "rename", deleted: "delete", renamed: "move" }[event.what] ?? "file";
  const clock = new Date().toLocaleTimeString(document.documentElement.lang);
  const to = event.what === "renamed" && event.entry ? [" → ", el("bdi", {}, spelled(`/${event.entry.path}`))] : [];
  list?.prepend(el("li", {}, icon(sign), el("span", {}, el("bdi", {}, spelled(`/${event.path}`)), ...to), el("span", { class: "detail" }, `${event.by} · ${clock}`)));
  while (list && list.children.length > EVENTS) list.lastElementChild?.remove();
}

export function start() {
  graph();
  look();
  setInterval(() => {
    if (document.hidden) return;
    look();
    lookAgain();
  }, EVERY);
}
