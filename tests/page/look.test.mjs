// Looking at files without leaving the page; and that nothing of what users sent ever runs.

import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import test from "node:test";
import { Drawer, VIEWS, names, ready, row, visit } from "./harness.mjs";

/** A PNG of one colour. */
function png() {
  const table = Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n >>> 0; });
  const crc = (bytes) => { let c = 0xffffffff; for (const b of bytes) c = table[(c ^ b) & 255] ^ (c >>> 8); return (c ^ 0xffffffff) >>> 0; };
  const chunk = (type, data) => { const body = Buffer.concat([Buffer.from(type), data]); const head = Buffer.alloc(4); head.writeUInt32BE(data.length); const sum = Buffer.alloc(4); sum.writeUInt32BE(crc(body)); return Buffer.concat([head, body, sum]); };
  const size = Buffer.from([0, 0, 0, 8, 0, 0, 0, 8, 8, 2, 0, 0, 0]);
  const pixels = Buffer.concat(Array.from({ length: 8 }, () => Buffer.concat([Buffer.from([0]), Buffer.alloc(24, 0x77)])));
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", size), chunk("IDAT", deflateSync(pixels)), chunk("IEND", Buffer.alloc(0))]);
}

/** Half a second of silence. */
function wav() {
  const data = Buffer.alloc(4000, 128);
  const head = Buffer.alloc(44);
  head.write("RIFF", 0); head.writeUInt32LE(36 + data.length, 4); head.write("WAVEfmt ", 8); head.writeUInt32LE(16, 16); head.writeUInt16LE(1, 20); head.writeUInt16LE(1, 22); head.writeUInt32LE(8000, 24); head.writeUInt32LE(8000, 28); head.writeUInt16LE(1, 32); head.writeUInt16LE(8, 34); head.write("data", 36); head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}

test("pictures, sound, text and Markdown are looked at, next and previous by key", async () => {
  const drawer = await Drawer.open({ "1.png": png(), "2.wav": wav(), "3.rs": "fn main() { <b> }\n", "4.md": "# Title\n\n**bold**", "5.bin": "x", "6.txt": "x".repeat(600_000), "lies.png": "no picture" });
  for (const view of VIEWS) {
    const page = await visit(drawer, view);
    const dialog = page.getByRole("dialog");
    await row(page, "1.png").getByRole("link").click();
    await page.waitForFunction(() => document.querySelector("dialog img")?.naturalWidth === 8);
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.querySelector("dialog audio")?.readyState >= 1);
    await dialog.getByRole("button", { name: view.lang === "en" ? "Next" : "Próximo" }).click();
    await dialog.locator("pre", { hasText: "fn main() { <b> }" }).waitFor();
    await dialog.getByRole("button", { name: view.lang === "en" ? "Next" : "Próximo" }).click();
    await page.frameLocator("dialog iframe").getByRole("heading", { name: "Title" }).waitFor();
    await page.keyboard.press("ArrowRight");
    await dialog.getByText(view.lang === "en" ? "Only the start is shown" : "Só o começo é mostrado").waitFor();
    await page.keyboard.press("ArrowRight");
    await dialog.getByText(view.lang === "en" ? "This cannot be shown" : "Isto não pode ser mostrado").waitFor();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Escape");
    await page.locator("dialog").waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement?.closest("tr")?.querySelector("input")?.value), "6.txt");
    const download = page.waitForEvent("download");
    await row(page, "5.bin").getByRole("link").click();
    assert.equal((await download).suggestedFilename(), "5.bin");
    assert.deepEqual(page.troubles, []);
  }
});

test("a film is played, and one that is none is said to be none", async () => {
  const drawer = await Drawer.open({ "lies.webm": `<html>${"x".repeat(999)}` });
  // Made by the browser itself.
  const maker = await visit(drawer);
  const film = await maker.evaluate(async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [32, 24];
    const pen = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm;codecs=vp8" });
    const pieces = [];
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    const over = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    for (let i = 0; i < 20; i += 1) {
      pen.fillStyle = `rgb(${i * 12} 0 0)`;
      pen.fillRect(0, 0, 32, 24);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    recorder.stop();
    await over;
    return [...new Uint8Array(await new Blob(pieces).arrayBuffer())];
  });
  await drawer.fill({ "film.webm": Buffer.from(film) });
  for (const view of VIEWS) {
    const page = await visit(drawer, view);
    await row(page, "film.webm").getByRole("link").click();
    await page.waitForFunction(() => document.querySelector("dialog video")?.videoWidth === 32);
    await page.evaluate(() => Object.assign(document.querySelector("dialog video"), { muted: true }).play());
    await page.waitForFunction(() => document.querySelector("dialog video").currentTime > 0);
    await page.keyboard.press("ArrowRight");
    await page.getByRole("dialog").getByText(view.lang === "en" ? "This cannot be shown" : "Isto não pode ser mostrado").waitFor();
    await page.keyboard.press("Escape");
    assert.deepEqual(page.troubles, []);
  }
});

/** A page with one word on it. */
function pdf() {
  const parts = ["%PDF-1.4\n"];
  const places = [];
  const put = (text) => (places.push(parts.join("").length), parts.push(`${places.length} 0 obj\n${text}\nendobj\n`));
  const words = "BT /F 24 Tf 20 100 Td (Gaveta) Tj ET";
  put("<</Type/Catalog/Pages 2 0 R>>");
  put("<</Type/Pages/Kids[3 0 R]/Count 1>>");
  put("<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>");
  put(`<</Length ${words.length}>>stream\n${words}\nendstream`);
  put("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>");
  const start = parts.join("").length;
  parts.push(`xref\n0 6\n0000000000 65535 f \n${places.map((at) => `${String(at).padStart(10, "0")} 00000 n \n`).join("")}trailer<</Size 6/Root 1 0 R>>\nstartxref\n${start}\n%%EOF\n`);
  return Buffer.from(parts.join(""), "latin1");
}

test("a PDF is shown by the browser's own viewer, and what is none is said to be none", async () => {
  const drawer = await Drawer.open({ "a b.pdf": pdf(), "lies.pdf": "<html><script>alert(1)</script></html>", "long.md": "x".repeat(2_000_000) });
  for (const view of VIEWS) {
    const page = await visit(drawer, view);
    const dialog = page.getByRole("dialog");
    const broken = dialog.getByText(view.lang === "en" ? "This cannot be shown" : "Isto não pode ser mostrado");
    const given = page.waitForResponse((answer) => answer.url().endsWith("/.gaveta/preview/a%20b.pdf") && answer.request().method() === "GET");
    await row(page, "a b.pdf").getByRole("link").click();
    // What has no viewer (some phones) says so; what has one is given the file for a frame of ours.
    if (await page.evaluate(() => navigator.pdfViewerEnabled)) {
      const answer = await given;
      assert.equal(answer.status(), 200);
      assert.equal(answer.headers()["content-type"], "application/pdf");
      assert.equal(answer.headers()["x-frame-options"], "SAMEORIGIN");
      assert.equal(await broken.count(), 0);
    } else {
      given.catch(() => {});
      await broken.waitFor();
    }
    await dialog.getByRole("button", { name: view.lang === "en" ? "Next" : "Próximo" }).click();
    await broken.waitFor();
    await dialog.getByRole("button", { name: view.lang === "en" ? "Next" : "Próximo" }).click();
    await dialog.getByRole("heading", { name: "long.md" }).waitFor();
    await broken.waitFor();
    await page.keyboard.press("Escape");
    assert.deepEqual(page.troubles, []);
  }
});

const RUN = "<script>window.ran=1;alert(1)</script><img src=x onerror='window.ran=1;alert(1)'><svg onload='window.ran=1;alert(1)'>";

test("nothing that users send or call a file ever runs", async () => {
  const evil = {
    "page.html": `<!doctype html>${RUN}`,
    "picture.svg": `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script><rect width="9" height="9"/></svg>`,
    "text.md": `# x\n\n${RUN}\n\n[a](javascript:alert(1)) ![p](x"onerror="alert(1)) <a href="javascript:alert(1)">b</a>`,
    "code.js": "window.ran=1;alert(1)",
    "style.css": "body{display:none}",
    "data.xml": `<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="data.xml"?><html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>`,
    "lies.png": `<html>${RUN}</html>`,
    "lies.txt": `<html>${RUN}</html>`,
    "lies.pdf": `<html>${RUN}</html>`,
    "<img src=x onerror=alert(1)>.txt": "x",
    "\"><script>alert(1)<|script>": "x",
    "' onfocus='alert(1)' autofocus='.txt": "x",
    "javascript:alert(1)": "x",
    "{{7*7}}${7*7}<%= 7 %>": "x",
    "\u202egnp.exe": "x",
    "zero\u200bwidth.txt": "x",
    "<svg onload=alert(1)>/inside.txt": "x",
  };
  const drawer = await Drawer.open(evil);
  const page = await visit(drawer, { admin: true });
  const reported = [];
  page.on("console", (message) => message.text().includes("ran") && reported.push(message.text()));
  const calm = async (where) => {
    await page.waitForTimeout(150);
    assert.equal(await page.evaluate(() => window.ran), undefined, where);
    for (const frame of page.frames()) assert.equal(await frame.evaluate(() => window.ran).catch(() => undefined), undefined, where);
    assert.deepEqual(page.troubles.filter((trouble) => trouble.startsWith("dialog")), [], where);
  };
  await calm("list");
  assert.ok((await names(page)).includes("\\u{202e}gnp.exe"));
  for (const name of Object.keys(evil).filter((name) => !name.includes("/"))) {
    await row(page, name).getByRole("checkbox").check();
    if (await row(page, name).getByRole("link").count() && /\.(html|svg|md|js|css|xml|png|txt|pdf)$/.test(name)) {
      await row(page, name).getByRole("link").click();
      await page.getByRole("dialog").waitFor();
      await calm(`look at ${name}`);
      await page.keyboard.press("Escape");
    }
    await row(page, name).getByRole("checkbox").uncheck();
  }
  // Asked for by their own addresses, in every way that a page can ask.
  for (const name of Object.keys(evil)) {
    const address = `${drawer.url}/${name.split("/").map(encodeURIComponent).join("/")}`;
    for (const path of [address, address.replace(drawer.url, `${drawer.url}/.gaveta/preview`)]) {
      await page.goto(path).catch(() => {});
      await calm(path);
    }
  }
  for (const path of ["/.gaveta/search?at=&q=" + encodeURIComponent("<img src=x onerror=alert(1)>"), "/" + encodeURIComponent("<script>alert(1)<|script>"), "/%3Csvg%20onload%3Dalert(1)%3E/", "/.gaveta/ask?do=delete&at=&name=" + encodeURIComponent("<script>alert(1)<|script>")]) {
    await page.goto(drawer.url + path);
    await calm(path);
  }
  await page.goto(drawer.url);
  await ready(page);
  // Our own policy holds against what an injection would try.
  const blocked = await page.evaluate(async () => {
    const results = [];
    try { document.createElement("script").src = "/code.js"; results.push("ran"); } catch { results.push("refused"); }
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = "/style.css";
    const styled = new Promise((resolve) => { style.onload = () => resolve("ran"); style.onerror = () => resolve("refused"); });
    document.head.append(style);
    results.push(await styled);
    try { document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=alert(1)>"); results.push("ran"); } catch { results.push("refused"); }
    return results;
  });
  assert.deepEqual(blocked, ["refused", "refused", "refused"]);
  assert.deepEqual(reported, []);
});

test("what the policy says", async () => {
  const drawer = await Drawer.open({ "a.md": "x" });
  for (const path of ["/", "/nothing", "/.gaveta/search?q=x", "/.gaveta/ask?do=delete&name=a.md", "/.gaveta/preview/a.md"]) {
    const answer = await fetch(drawer.url + path, { headers: { Accept: "text/html" } });
    const policy = answer.headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'/, path);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/, path);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  }
});
