// The server's commands, and paths as addresses.

import { why } from "./text.js";

/** Why the server refused, by its stable code. */
export class Failure extends Error {
  /**
   * @param {string} code
   * @param {string} [path]
   */
  constructor(code, path) {
    super(path ? `${path}: ${why(code)}` : why(code));
    this.code = code;
  }
}

/**
 * @typedef {{path: string, kind: "file" | "folder" | "link" | "special", size: number, modified: string, version: string}} Entry
 */

/** How long a command may take to be answered, in milliseconds; copies of whole folders take long. */
const PATIENCE = 15 * 60_000;

/**
 * Asks the server to do something.
 * @param {string} word
 * @param {Record<string, unknown>} members
 * @returns {Promise<any>} what `ok` holds
 * @throws {Failure}
 */
export async function command(word, members) {
  let answer;
  try {
    answer = await fetch(own("command"), {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ id: 1, do: word, ...members }),
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    throw new Failure("disconnected");
  }
  const body = await answer.json().catch(() => ({}));
  if (body.ok) return body.ok;
  throw new Failure(body.error?.code ?? answer.headers.get("gaveta-error") ?? "io", body.error?.path);
}

/** What every address begins with: a proxy may serve us beneath a folder of its own. */
const base = document.documentElement.dataset.base ?? "";

/**
 * The address of what is the server's own.
 * @param {string} word
 */
export function own(word) {
  return `${base}/.gaveta/${word}`;
}

/**
 * A path as it stands in an address.
 * @param {string} path
 */
export function encoded(path) {
  return path.split("/").map(encodeURIComponent).join("/");
}

/**
 * The address of an entry.
 * @param {string} path
 */
export function address(path) {
  return `${base}/${encoded(path)}`;
}

/**
 * A path within a folder.
 * @param {string} folder
 * @param {string} name
 */
export function join(folder, name) {
  return folder ? `${folder}/${name}` : name;
}

/** @param {string} path */
export function nameOf(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** @param {string} path */
export function parentOf(path) {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

/**
 * `a (2).txt` for `a.txt`.
 * @param {string} path
 * @param {number} number
 */
export function numbered(path, number) {
  const name = nameOf(path);
  const dot = name.lastIndexOf(".");
  const cut = dot > 0 ? dot : name.length;
  return join(parentOf(path), `${name.slice(0, cut)} (${number})${name.slice(cut)}`);
}
