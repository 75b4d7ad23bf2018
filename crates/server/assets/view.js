// A look at a file without leaving the page: pictures, sound, film, PDF, text, Markdown. What a
// user wrote never runs: pictures and text are inert, Markdown stands in a sandbox.

import { address, encoded, nameOf, own } from "./api.js";
import { button, el, icon } from "./dom.js";
import { focusOn, pathOf, rows } from "./rows.js";
import { spelled, t } from "./text.js";

/** How much of a text is shown, in bytes. */
const TEXT = 512 * 1024;

/** @type {[string, RegExp][]} */
const KINDS = [
  ["image", /\.(png|jpe?g|gif|webp|avif|bmp|ico|svg)$/i],
  ["video", /\.(mp4|m4v|webm|ogv|mov)$/i],
  ["audio", /\.(mp3|m4a|oga|ogg|opus|flac|wav|aac|weba)$/i],
  ["pdf", /\.pdf$/i],
  ["markdown", /\.(md|markdown)$/i],
  ["text", /\.(txt|text|log|rs|toml|ya?ml|ini|conf|cfg|[ch]|[ch]pp|go|py|java|sh|sql|diff|patch|csv|tsv|json|ndjson|jsonl|html?|xml|css|m?js|ts|tex|srt|vtt)$/i],
];

/** @param {string} name */
function kindOf(name) {
  return KINDS.find(([, pattern]) => pattern.test(name))?.[0];
}

/** @returns {HTMLTableRowElement[]} what can be looked at */
function seen() {
  return rows().filter((row) => !row.hidden && row.dataset.k === "file" && kindOf(nameOf(pathOf(row))));
}

/** @param {HTMLTableRowElement} row */
export function canShow(row) {
  return row.dataset.k === "file" && kindOf(nameOf(pathOf(row))) !== undefined;
}

/** @param {HTMLTableRowElement} row */
export function view(row) {
  let path = pathOf(row);
  const title = el("h2", { id: "view-title" });
  const place = el("span", { class: "detail" });
  const stage = el("div", { class: "stage" });
  const get = el("a", { class: "button bare", title: t("js-get"), "aria-label": t("js-get"), download: true }, icon("get"));
  const close = () => dialog.close();
  const step = (/** @type {number} */ by) => {
    const all = seen();
    const at = all.findIndex((row) => pathOf(row) === path);
    const next = all[at < 0 ? 0 : (at + by + all.length) % all.length];
    if (next) open(pathOf(next));
  };
  const dialog = el(
    "dialog",
    { class: "view", "aria-labelledby": "view-title" },
    el("div", { class: "head" }, el("div", { class: "what" }, title, place), get, button("close", t("js-close"), close, "bare plain")),
    stage,
    el("div", { class: "tail" }, button("back", t("js-previous"), () => step(-1), "bare"), button("next", t("js-next"), () => step(1), "bare")),
  );

  const open = (/** @type {string} */ to) => {
    path = to;
    const name = nameOf(path);
    title.replaceChildren(el("bdi", {}, spelled(name)));
    get.href = `${address(path)}?download=true`;
    const all = seen();
    const at = all.findIndex((row) => pathOf(row) === path);
    place.textContent = at < 0 ? "" : t("js-of", { at: at + 1, all: all.length });
    stage.replaceChildren(...shown(path, kindOf(name) ?? "text"));
    dialog.dataset.kind = kindOf(name);
  };

  dialog.addEventListener("keydown", (event) => {
    if (/** @type {Element} */ (event.target).closest("video, audio, pre")) return;
    if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
  });
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    focusOn(rows().find((row) => pathOf(row) === path));
  });
  document.body.append(dialog);
  open(path);
  dialog.showModal();
}

/**
 * @param {string} path
 * @param {string} kind
 * @returns {Node[]}
 */
function shown(path, kind) {
  const href = address(path);
  const name = spelled(nameOf(path));
  const broken = () => el("p", { class: "notice", role: "alert" }, icon("alert"), t("js-cannot-show"));
  const fall = (/** @type {Element} */ element) => element.addEventListener("error", () => element.replaceWith(broken()), { once: true });
  switch (kind) {
    case "image": {
      const image = el("img", { src: href, alt: name });
      fall(image);
      return [image];
    }
    case "video":
    case "audio": {
      const player = el(/** @type {"video"} */ (kind), { src: href, controls: true, "aria-label": name });
      fall(player);
      return [player];
    }
    case "pdf":
      return navigator.pdfViewerEnabled === false ? [broken()] : [framed({ title: name }, path, broken)];
    case "markdown":
      return [framed({ title: name, sandbox: "allow-popups allow-popups-to-escape-sandbox" }, path, broken)];
    default: {
      const text = el("pre", { tabindex: 0, "aria-label": name });
      fetch(href, { headers: { Range: `bytes=0-${TEXT - 1}`, Accept: "*/*" } })
        .then(async (answer) => {
          if (answer.status === 416) return;
          if (!answer.ok) throw new Error();
          const all = Number(answer.headers.get("content-range")?.split("/")[1] ?? 0);
          text.textContent = await answer.text();
          if (all > TEXT) text.after(el("p", { class: "quiet-text" }, t("js-only-start")));
        })
        .catch(() => text.replaceWith(broken()));
      return [text];
    }
  }
}

/**
 * A preview that the server made, in a frame; a frame cannot tell that there is none, so the server
 * is asked.
 * @param {{title: string, sandbox?: string}} props
 * @param {string} path
 * @param {() => HTMLElement} broken
 */
function framed(props, path, broken) {
  const src = own(`preview/${encoded(path)}`);
  const frame = el("iframe", props);
  fetch(src, { method: "HEAD" })
    .then((answer) => (answer.ok ? frame.setAttribute("src", src) : frame.replaceWith(broken())))
    .catch(() => frame.replaceWith(broken()));
  return frame;
}
