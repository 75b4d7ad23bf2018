// The session: what others do appears by itself. When the line is lost, that is said, and it is
// taken up again.

import { own } from "./api.js";
import { el, icon } from "./dom.js";
import { t } from "./text.js";

/** How long one waits before the line is tried again: longer each time, in milliseconds. */
const WAITS = [500, 1000, 2000, 4000, 8000, 15_000];
/** How often the line is tested, and how long an answer may take. */
const TEST = 20_000;
const ANSWER = 10_000;

/** @type {((up: boolean) => void)[]} */
const listeners = [];

/**
 * Calls this when the line is lost and when it is there again.
 * @param {(up: boolean) => void} listener
 */
export function onLine(listener) {
  listeners.push(listener);
}

/** @typedef {{what: string, path: string, by: string, entry?: {path: string}}} Happening */

/**
 * @param {string} folder what is watched
 * @param {(event: Happening) => void} happened
 * @param {() => void} [missed] something happened that was not told
 */
export function start(folder, happened, missed = () => {}) {
  const sign = el("div", { class: "offline", role: "status", hidden: true }, icon("again"), el("span", {}, t("js-reconnecting")));
  document.body.append(sign);
  let tried = 0;
  let known = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;

  const set = (/** @type {boolean} */ up) => {
    if (up === known) return;
    known = up;
    sign.hidden = up;
    for (const listener of listeners) listener(up);
  };

  const open = () => {
    again = undefined;
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${own("session")}`);
    let id = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let overdue;
    const test = setInterval(() => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(JSON.stringify({ id: (id += 1), do: "ping" }));
      overdue ??= setTimeout(() => lost(), ANSWER);
    }, TEST);
    let over = false;
    const lost = () => {
      if (over) return;
      over = true;
      clearInterval(test);
      clearTimeout(overdue);
      socket.close();
      set(false);
      again = setTimeout(open, WAITS[Math.min(tried, WAITS.length - 1)]);
      tried += 1;
    };
    socket.addEventListener("close", lost);
    socket.addEventListener("error", lost);
    socket.addEventListener("message", (message) => {
      clearTimeout(overdue);
      overdue = undefined;
      const said = JSON.parse(message.data);
      if (said.hello) {
        socket.send(JSON.stringify({ id: (id += 1), do: "watch", path: folder }));
        // What happened while nobody listened.
        if (tried > 0) missed();
        tried = 0;
        set(true);
      } else if (said.event) {
        happened(said.event);
      } else if (said.missed) {
        missed();
      }
    });
  };
  const hurry = () => {
    if (again === undefined) return;
    clearTimeout(again);
    open();
  };
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", () => document.hidden || hurry());
  open();
}

/**
 * Does it change what this folder shows? What happens further down shows nowhere here.
 * @param {Happening} event
 * @param {string} folder
 */
export function concerns(event, folder) {
  return [event.path, event.entry?.path].some((path) => {
    if (path === undefined) return false;
    if (path === folder || folder.startsWith(`${path}/`)) return true;
    if (folder !== "" && !path.startsWith(`${folder}/`)) return false;
    // What happens further down shows only where it made the folder that is seen here.
    const inside = path.slice(folder === "" ? 0 : folder.length + 1);
    const slash = inside.indexOf("/");
    const top = inside.slice(0, Math.max(0, slash));
    return slash < 0 || !document.querySelector(`#rows input[value="${CSS.escape(top)}"]`);
  });
}
