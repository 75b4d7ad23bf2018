// A real server, a real browser, and what a person would do with them.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer as createProxy, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { chromium } from "playwright-core";

export const PASSWORD = "a drawer for tests 1";
const GAVETA = process.env.GAVETA;
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Every view is looked at in both languages, on a phone and on a wide screen. */
export const VIEWS = [
  { lang: "pt-BR", width: 390 },
  { lang: "pt-BR", width: 1440 },
  { lang: "en", width: 390 },
  { lang: "en", width: 1440 },
];

let launched;
const ends = [];
after(async () => {
  for (const end of ends.reverse()) await end();
  await (await launched)?.close();
});

async function freePort() {
  const socket = createServer().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

/** A served folder that goes with the tests. */
export class Drawer {
  static async open(files = {}, options = []) {
    const drawer = new Drawer();
    drawer.base = await mkdtemp(join(tmpdir(), "gaveta-page-"));
    drawer.folder = join(drawer.base, "drawer");
    drawer.options = options;
    await mkdir(drawer.folder);
    await writeFile(join(drawer.base, "password"), PASSWORD, { mode: 0o600 });
    await drawer.fill(files);
    drawer.port = await freePort();
    await drawer.start();
    ends.push(async () => {
      await drawer.kill("SIGTERM");
      await rm(drawer.base, { recursive: true, force: true });
    });
    return drawer;
  }

  /** Where it is seen: past its proxy, if it has one. */
  get url() {
    return `http://localhost:${this.proxied ?? this.port}${this.prefix ?? ""}`;
  }

  /**
   * A drawer behind a proxy that serves it beneath a prefix, beside other sites: whatever is asked
   * for elsewhere is kept in `astray`.
   */
  static async beneath(prefix, files = {}) {
    const drawer = await Drawer.open(files, ["--base-path", prefix]);
    drawer.prefix = prefix;
    drawer.astray = [];
    const ours = (asked) => asked.url.startsWith(`${prefix}/`) || (drawer.astray.push(asked.url), false);
    const onward = (asked) => request({ host: "127.0.0.1", port: drawer.port, method: asked.method, path: asked.url, headers: asked.headers });
    const proxy = createProxy((asked, answer) => {
      if (!ours(asked)) return void answer.writeHead(404).end();
      const on = onward(asked).on("response", (told) => {
        answer.writeHead(told.statusCode, told.headers);
        told.pipe(answer);
      });
      on.on("error", () => answer.destroy());
      asked.pipe(on);
    });
    proxy.on("upgrade", (asked, socket, head) => {
      if (!ours(asked)) return socket.destroy();
      const on = onward(asked).on("upgrade", (told, server, first) => {
        const fields = told.rawHeaders.reduce((all, part, i) => all + part + (i % 2 ? "\r\n" : ": "), "");
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`);
        socket.write(first);
        server.write(head);
        socket.pipe(server).pipe(socket);
        for (const end of [socket, server]) end.on("error", () => (socket.destroy(), server.destroy()));
      });
      on.on("error", () => socket.destroy());
      on.end();
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    drawer.proxied = proxy.address().port;
    ends.push(() => (proxy.closeAllConnections(), proxy.close()));
    return drawer;
  }

  /** Puts files there, path by path; a path that ends with `/` is a folder. */
  async fill(files) {
    for (const [path, content] of Object.entries(files)) {
      const at = join(this.folder, path);
      await mkdir(path.endsWith("/") ? at : dirname(at), { recursive: true });
      if (!path.endsWith("/")) await writeFile(at, content);
    }
  }

  async start() {
    const args = ["serve", this.folder, "--port", this.port, "--state-dir", join(this.base, "state"), "--admin-password-file", join(this.base, "password"), "--lang", "en", "--log-level", "error", "--grace", "1", ...this.options];
    this.process = spawn(GAVETA, args.map(String), { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface(this.process.stdout)) if (line.includes("Listening")) return;
    throw new Error("the server did not start");
  }

  async kill(signal = "SIGKILL") {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = once(this.process, "exit");
    this.process.kill(signal);
    await gone;
  }

  /** Every file beneath a folder, by its path, with its digest. */
  async digests(folder = "") {
    return digests(join(this.folder, folder));
  }
}

export async function digests(folder) {
  const found = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    if (!entry.isFile() || path.includes("/.gaveta/")) continue;
    const hash = createHash("sha256");
    for await (const piece of createReadStream(path)) hash.update(piece);
    found[path.slice(folder.length + 1)] = hash.digest("hex");
  }
  return found;
}

/**
 * A page of its own, as somebody sees it. What goes wrong in it is kept in `troubles`.
 * @param {Drawer} drawer
 */
export async function visit(drawer, { path = "/", lang = "en", width = 1440, admin = false, script = true, dark = false } = {}) {
  launched ??= chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const browser = await launched;
  const context = await browser.newContext({
    viewport: { width, height: width < 500 ? 844 : 900 },
    locale: lang,
    hasTouch: width < 500,
    javaScriptEnabled: script,
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
    acceptDownloads: true,
  });
  context.setDefaultTimeout(60_000);
  ends.push(() => context.close());
  const page = await context.newPage();
  page.troubles = [];
  page.outside = [];
  page.on("pageerror", (error) => page.troubles.push(String(error)));
  page.on("dialog", (dialog) => dialog.type() === "beforeunload" ? dialog.accept() : (page.troubles.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
  page.on("console", (message) => /Content Security Policy|Trusted ?Types/i.test(message.text()) && page.troubles.push(message.text()));
  page.on("request", (request) => {
    if (!request.url().startsWith(drawer.url) && !/^(blob|data|chrome-extension):/.test(request.url())) page.outside.push(request.url());
  });
  if (admin) await signIn(page, drawer);
  await page.goto(drawer.url + path);
  if (script) await ready(page);
  return page;
}

/** Signs in as a person does, by the form. */
export async function signIn(page, drawer) {
  await page.goto(`${drawer.url}/.gaveta/sign-in`);
  await page.locator("#name").fill("admin");
  await page.locator("#password").fill(PASSWORD);
  await page.locator(".card button").click();
  await page.locator("#drawer").waitFor();
}

export async function ready(page) {
  await page.waitForFunction(() => !document.querySelector("#drawer") || document.documentElement.dataset.ready === "");
}

/**
 * Does what leads to another page, and waits until that one is there and ready.
 * @param {() => Promise<unknown>} does
 */
export async function follow(page, does) {
  await Promise.all([page.waitForEvent("domcontentloaded"), does()]);
  await ready(page);
}

/** The names in the list, as they are shown. */
export async function names(page) {
  return page.locator("#rows tr:not([hidden]) .n bdi").allTextContents();
}

/** Waits until this many rows are there. */
export async function rows(page, count) {
  await page.waitForFunction((count) => document.querySelectorAll("#rows tr").length === count, count);
}

/** The row of this name. */
export function row(page, name) {
  return page.locator("#rows tr").filter({ has: page.locator(`input[value="${CSS_escape(name)}"]`) });
}

function CSS_escape(text) {
  return text.replace(/["\\]/g, "\\$&");
}

/** Drops files and folders of this machine onto the page, as a file manager does. */
export async function drop(page, paths) {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  const at = { x: 200, y: 300 };
  for (const type of ["dragEnter", "dragOver", "drop"]) await session.send("Input.dispatchDragEvent", { type, ...at, data });
}

/** Asks the page, which may take its time to answer, until it says yes. */
export async function until(page, question, given, patience = 300_000) {
  const end = Date.now() + patience;
  while (!(await page.evaluate(question, given))) {
    if (Date.now() > end) throw new Error(`never: ${question}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Waits until so many bytes, or so many files, have arrived. */
export async function underWay(page, { bytes = 0, files = 0 }) {
  await page.locator(".tray").waitFor();
  await until(page, async ([bytes, files]) => {
    const queue = await import(document.querySelector("script[type=module]").src.replace("page.js", "queue.js"));
    return queue.sum.sent >= bytes && queue.counts.done >= files;
  }, [bytes, files]);
}

/** Waits until nothing is on its way any more, and the tray says so. */
export async function sent(page) {
  await page.locator(".tray").waitFor();
  await until(page, async () => {
    const queue = await import(document.querySelector("script[type=module]").src.replace("page.js", "queue.js"));
    return queue.items.length > 0 && !queue.isBusy();
  });
  await page.waitForTimeout(700);
}
