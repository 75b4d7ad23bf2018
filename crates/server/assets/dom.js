// Small helpers to make elements. Texts become text, never markup.

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean | number | EventListener | undefined>} [props]
 *   `class`, attributes, and listeners as `onclick`
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * A drawing of the page's sprite.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = /** @type {SVGSVGElement} */ (document.createElementNS(space, "svg"));
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * A button with a drawing; its words are seen, or only heard.
 * @param {string} drawing
 * @param {string} words
 * @param {(event: Event) => void} pressed
 * @param {string} [kind] its class; `bare` shows the drawing alone
 */
export function button(drawing, words, pressed, kind = "") {
  const bare = kind.split(" ").includes("bare");
  return el(
    "button",
    { type: "button", class: kind || undefined, onclick: pressed, title: bare ? words : undefined, "aria-label": bare ? words : undefined },
    icon(drawing),
    bare ? null : el("span", {}, words),
  );
}

/**
 * @template {Element} E
 * @param {string} selector
 * @param {ParentNode} [within]
 * @returns {E | null}
 */
export function find(selector, within = document) {
  return /** @type {E | null} */ (within.querySelector(selector));
}

/** @type {{createHTML: (html: string) => string} | undefined} */
const policy = /** @type {any} */ (window).trustedTypes?.createPolicy("gaveta", { createHTML: (/** @type {string} */ html) => html });

/**
 * A page of the server's as a document. Nothing in it runs.
 * @param {string} html
 */
export function parsed(html) {
  return new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, "text/html");
}

/** @type {HTMLElement | undefined} */
let voice;

/**
 * Says something to a screen reader, without showing it.
 * @param {string} words
 */
export function say(words) {
  voice ??= document.body.appendChild(el("div", { class: "quiet", role: "status", "aria-live": "polite" }));
  voice.textContent = words;
}
