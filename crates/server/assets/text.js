// What the page says, in its language. The sentences come from the same files as the server's.

/** @type {Record<string, string | [string, string]>} */
const words = (await import(`./text-${document.documentElement.lang}.js`)).default;
const lang = document.documentElement.lang;
const numbers = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat(lang);

/** Controls, marks that turn the direction of writing, and what shows nothing: as the server's pages have it. */
const UNSEEN = /[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
/** @type {Record<string, string>} */
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * A name as it is shown: what could deceive about it is written out.
 * @param {string} name
 */
export function spelled(name) {
  return name.replace(UNSEEN, (sign) => SHORT[sign] ?? `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`);
}

/**
 * A sentence. `n` chooses between one and several.
 * @param {string} key
 * @param {Record<string, string | number>} [args]
 */
export function t(key, args = {}) {
  const said = words[key];
  let text = Array.isArray(said) ? said[args.n === 1 ? 0 : 1] : said;
  if (text === undefined) return `‹${key}›`;
  for (const [name, value] of Object.entries(args)) {
    text = text.split(`{${name}}`).join(typeof value === "number" ? whole.format(value) : spelled(value));
  }
  return text;
}

/**
 * Why something failed, by the stable code of the error.
 * @param {string} code
 */
export function why(code) {
  const said = words[`error-${code}`];
  return typeof said === "string" ? said : code;
}

/** @param {number} bytes */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.95 && unit + 1 < units.length) {
    value /= 1000;
    unit += 1;
  }
  return `${numbers.format(value)} ${units[unit]}`;
}

/** @param {number} seconds */
export function clock(seconds) {
  const rounded = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60];
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rounded % 60)}` : `${minutes}:${two(rounded % 60)}`;
}
