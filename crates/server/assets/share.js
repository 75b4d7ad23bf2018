// Links that let others in: the server's own page of them, in front of the list.

import { nameOf, own, parentOf } from "./api.js";
import { note, show } from "./dialog.js";
import { button, el, find, icon, parsed } from "./dom.js";
import { t, why } from "./text.js";

/**
 * What of the page that was asked for is shown here.
 * @param {string} address
 * @param {RequestInit} [request]
 * @throws {Error} what the server refuses, in words
 */
async function fetched(address, request = {}) {
  const answer = await fetch(address, { ...request, headers: { Accept: "text/html" }, signal: AbortSignal.timeout(60_000) }).catch(() => null);
  if (!answer) throw new Error(why("disconnected"));
  const page = parsed(await answer.text());
  const section = find("#share", page);
  if (!answer.ok || !section) throw new Error(why(answer.headers.get("gaveta-error") ?? "io"));
  await styled(find("main link[rel=stylesheet]", page));
  return /** @type {HTMLElement} */ (document.adoptNode(section));
}

/** Loads the sheet of that page, where it is not here yet. @param {HTMLLinkElement | null} sheet */
async function styled(sheet) {
  const address = sheet?.getAttribute("href") ?? "";
  if (!sheet || find(`link[href="${CSS.escape(address)}"]`)) return;
  const link = el("link", { rel: "stylesheet", href: address });
  await new Promise((loaded) => {
    link.addEventListener("load", loaded);
    link.addEventListener("error", loaded);
    document.head.append(link);
  });
}

/** A button beside a new link, which takes it along. @param {HTMLElement} section */
function copies(section) {
  const link = /** @type {HTMLInputElement | null} */ (find("#share-link", section));
  if (!link) return;
  const copy = button("copy", t("js-copy-link"), async () => {
    // Only a page over TLS or of this machine may write there; any may ask for what is selected.
    link.select();
    const done = await navigator.clipboard?.writeText(link.value).then(() => true, () => false);
    if (done || document.execCommand("copy")) say(section, t("js-copied-link"));
    copy.focus();
  }, "primary");
  link.after(copy);
  link.addEventListener("focus", () => link.select());
  copy.focus();
}

/**
 * Says something below the link.
 * @param {HTMLElement} section
 * @param {string} words
 */
function say(section, words) {
  let told = find(".told", section);
  if (!told) {
    told = el("p", { class: "told", role: "status" });
    find(".copy", section)?.after(told);
  }
  told.textContent = words;
}

/**
 * Lets somebody make links to an entry, and end them.
 * @param {string} path
 */
export async function ask(path) {
  const query = new URLSearchParams({ at: parentOf(path), name: nameOf(path) });
  let section;
  try {
    section = await fetched(`${own("share")}?${query}`);
  } catch (error) {
    note(error instanceof Error ? error.message : String(error), { failed: true });
    return;
  }
  const place = el("div", {}, section);
  const { dialog } = show(titled(section), [place], "sharing", "div");
  /** @type {HTMLElement | null} */ (find("select", place))?.focus();
  const turn = async (/** @type {string} */ address, /** @type {RequestInit} */ request = {}) => {
    find(".notice", place)?.remove();
    try {
      const next = await fetched(address, request);
      titled(next);
      place.replaceChildren(next);
      copies(next);
    } catch (error) {
      place.prepend(el("p", { class: "notice", role: "alert" }, icon("alert"), error instanceof Error ? error.message : String(error)));
    }
    if (!place.contains(document.activeElement)) /** @type {HTMLElement | null} */ (find("select, button", place) ?? find("button", dialog))?.focus();
  };
  place.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const given = new FormData(form, event.submitter);
    turn(form.action, { method: "POST", body: new URLSearchParams([...given].map(([name, value]) => [name, String(value)])) });
  });
  place.addEventListener("click", (event) => {
    const again = /** @type {HTMLAnchorElement | null} */ (/** @type {Element} */ (event.target).closest("a.another"));
    if (!again) return;
    event.preventDefault();
    turn(again.href);
  });
}

/** Takes its title off a section. @param {Element} section */
function titled(section) {
  const heading = find("h1", section);
  heading?.remove();
  return heading?.textContent ?? "";
}
