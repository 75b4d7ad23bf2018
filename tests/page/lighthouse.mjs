// What Lighthouse says of the main views: wants lighthouse 13 where LIGHTHOUSE points to, and a quiet machine.
//
//   npm install --prefix /tmp/lighthouse lighthouse@13.5.0
//   GAVETA=… LIGHTHOUSE=/tmp/lighthouse/node_modules/lighthouse/cli/index.js node lighthouse.mjs [phone|desktop [PART_OF_THE_PATH]]
//
// Prints the scores and each audit that is not passed; fails below 95. The views of who is signed in are looked
// at with the administrator's cookie.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Drawer, share, visit } from "./harness.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const CATEGORIES = ["performance", "accessibility", "best-practices"];
const FORMS = process.argv[2] ? [process.argv[2]] : ["phone", "desktop"];
const ONLY = process.argv[3] ?? "";

test("lighthouse", { skip: !process.env.LIGHTHOUSE && "LIGHTHOUSE is not set" }, async () => {
  const to = await mkdtemp(join(tmpdir(), "gaveta-lighthouse-"));
  const kinds = ["jpg", "txt", "pdf", "zip"];
  const drawer = await Drawer.open({ ...Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`many/photo of the year ${i}.${kinds[i % 4]}`, "x".repeat(i % 300)])), "leia-me.md": "# Oi\n\nUm texto.", "Fotos/": "" });
  const page = await visit(drawer, { admin: true });
  const cookies = await page.context().cookies();
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  const shared = (await share(drawer, { path: "many" })).page;
  const low = [];
  for (const [path, signed] of [["/many/", false], ["/", true], ["/.gaveta/sign-in", false], ["/.gaveta/admin", true], ["/.gaveta/admin/accounts", true], [shared, false]]) {
    if (!String(path).includes(ONLY)) continue;
    for (const form of FORMS) {
      const file = join(to, "report.json");
      const args = [process.env.LIGHTHOUSE, drawer.url + path, "--quiet", "--output=json", `--output-path=${file}`, `--only-categories=${CATEGORIES}`, "--chrome-flags=--headless --no-sandbox --disable-gpu", "--locale=en", "--max-wait-for-load=20000"];
      if (form === "desktop") args.push("--preset=desktop");
      if (signed) args.push(`--extra-headers=${JSON.stringify({ Cookie: cookie })}`);
      const ran = spawnSync(process.execPath, args, { env: { ...process.env, CHROME_PATH: CHROMIUM }, encoding: "utf8", timeout: 120_000 });
      assert.equal(ran.status, 0, ran.stderr);
      const report = JSON.parse(await readFile(file, "utf8"));
      const scores = CATEGORIES.map((name) => [name, Math.round(100 * report.categories[name].score)]);
      console.log(`${path.replace(/gvs_\w+/, "…")} ${form}: ${scores.map(([name, score]) => `${name} ${score}`).join(", ")}`);
      for (const name of CATEGORIES) {
        for (const { id, weight } of report.categories[name].auditRefs) {
          const audit = report.audits[id];
          if (weight > 0 && audit.score !== null && audit.score < 0.9) console.log(`  ${name}: ${audit.title} (${audit.displayValue ?? Math.round(100 * audit.score)})`);
        }
      }
      low.push(...scores.filter(([, score]) => score < 95).map((score) => `${path} ${form} ${score}`));
    }
  }
  await rm(to, { recursive: true });
  assert.deepEqual(low, []);
});
