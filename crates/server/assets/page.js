// The page comes to life. Without this it works as it stands.

import { el, find } from "./dom.js";

const drawer = /** @type {HTMLElement | null} */ (find("#drawer"));

/** Panels close when one goes elsewhere. */
addEventListener("click", (event) => {
  for (const panel of document.querySelectorAll("details.drop[open]")) {
    if (!panel.contains(/** @type {Node} */ (event.target))) panel.removeAttribute("open");
  }
});
addEventListener("keydown", (event) => {
  const panel = event.key === "Escape" && /** @type {HTMLDetailsElement | null} */ (find("details.drop[open]"));
  if (!panel) return;
  panel.open = false;
  /** @type {HTMLElement | null} */ (find("summary", panel))?.focus();
});

if (drawer) {
  document.documentElement.classList.add("live");
  const { t } = await import("./text.js");
  const looks = async (/** @type {MouseEvent} */ event) => {
    const link = /** @type {Element} */ (event.target).closest("#rows a");
    const row = /** @type {HTMLTableRowElement | null} */ (link?.closest("tr"));
    if (!row || row.dataset.k !== "file" || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const { canShow, view } = await import("./view.js");
    if (canShow(row)) view(row);
    else el("a", { href: `${/** @type {HTMLAnchorElement} */ (link).href}?download=true`, download: true }).click();
  };
  document.addEventListener("click", looks);

  if (find("#list")) {
    const [{ refresh }, select, keys, live, send, work] = await Promise.all([import("./rows.js"), import("./select.js"), import("./keys.js"), import("./live.js"), import("./send.js"), import("./work.js")]);
    const sieve = el("input", { type: "search", class: "filter", placeholder: t("js-filter"), "aria-label": t("js-filter"), autocomplete: "off" });
    sieve.addEventListener("input", () => select.filter(sieve.value));
    find(".tools")?.append(sieve);
    select.start();
    work.start();
    keys.start({ act: work.act, filter: () => sieve.focus(), view: () => {} });
    send.start((drawer.dataset.may ?? "").split(" ").includes("create"));
    const folder = drawer.dataset.path ?? "";
    live.start(folder, (event) => live.concerns(event, folder) && refresh(), refresh);
  } else if (drawer.dataset.admin !== undefined) {
    const [admin, live] = await Promise.all([import("./admin.js"), import("./live.js")]);
    admin.start();
    live.start("", admin.happened);
  } else {
    for (const row of document.querySelectorAll("#rows input")) row.remove();
  }
  document.documentElement.dataset.ready = "";
}
