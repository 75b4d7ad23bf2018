// How long scripts run for the first view of 1,000 entries, in a trace of Chromium's.
//
//   GAVETA=… node trace.mjs [ROUNDS]      9 rounds unless given, each with an empty cache; wants a quiet machine
//
// Prints the median, and the slowest, of what the renderer's main thread spent on scripts: what it compiled,
// evaluated and called, timers, microtasks and the garbage collector. Events within others count once; what
// scripts had laid out meanwhile counts too, so that DevTools says less ("Scripting" in its summary).

import { test } from "node:test";
import { Drawer, ready, rows, visit } from "./harness.mjs";

const ROUNDS = Number(process.argv[2] ?? 9);
const SCRIPTING = /^(EvaluateScript|FunctionCall|TimerFire|EventDispatch|FireAnimationFrame|FireIdleCallback|RunMicrotasks|MajorGC|MinorGC|V8\.GC.*|BlinkGC.*|v8\.(compile|compileModule|evaluateModule|produceCache|parseOnBackground.*|run|callFunction)|V8\.(Compile|Execute|ScriptCompiler|RunMicrotasks).*)$/;

/** The milliseconds of these events, each moment once. */
function union(events) {
  let [total, end] = [0, -Infinity];
  for (const { ts, dur } of events.toSorted((a, b) => a.ts - b.ts)) {
    total += Math.max(0, ts + dur - Math.max(ts, end));
    end = Math.max(end, ts + dur);
  }
  return total / 1000;
}

/** @param {{traceEvents: any[]}} trace */
function scripting({ traceEvents }, url) {
  const navigated = traceEvents.findLast((event) => event.name === "navigationStart" && event.args.data?.documentLoaderURL === url);
  const main = traceEvents.find((event) => event.name === "thread_name" && event.args.name === "CrRendererMain" && event.pid === navigated.pid);
  const here = traceEvents.filter((event) => event.ph === "X" && event.pid === main.pid && event.tid === main.tid && event.ts >= navigated.ts);
  const scripts = here.filter((event) => SCRIPTING.test(event.name));
  const names = [...new Set(scripts.map(({ name }) => name))];
  return { all: union(scripts), kinds: names.map((name) => [name, union(scripts.filter((event) => event.name === name))]).toSorted((a, b) => b[1] - a[1]), task: union(here) };
}

const middle = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

test("scripting of the first view", async () => {
  const kinds = ["jpg", "txt", "pdf", "zip"];
  const drawer = await Drawer.open(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`photo of the year ${i * 7919} ${kinds[i % 4]}.${kinds[i % 4]}`, "x".repeat(i % 300)])));
  for (const lang of ["pt-BR", "en"]) {
    const seen = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const page = await visit(drawer, { lang, path: "/nothing" });
      const session = await page.context().newCDPSession(page);
      await session.send("Network.setCacheDisabled", { cacheDisabled: true });
      const browser = page.context().browser();
      await browser.startTracing(page, { categories: ["devtools.timeline", "disabled-by-default-devtools.timeline", "v8", "v8.execute", "disabled-by-default-v8.compile", "disabled-by-default-v8.gc", "blink.user_timing", "loading", "toplevel", "__metadata"] });
      await page.goto(drawer.url);
      await ready(page);
      await rows(page, 1000);
      await page.waitForLoadState("networkidle");
      const trace = JSON.parse((await browser.stopTracing()).toString());
      seen.push(scripting(trace, `${drawer.url}/`));
      await page.context().close();
    }
    const all = seen.map(({ all }) => all);
    const one = seen.toSorted((a, b) => a.all - b.all)[Math.floor(ROUNDS / 2)];
    console.log(`${lang}: ${middle(all).toFixed(1)} ms of scripting (median of ${ROUNDS}; ${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)}), of ${one.task.toFixed(0)} ms of the main thread`);
    for (const [name, ms] of one.kinds.slice(0, 8)) console.log(`  ${ms.toFixed(1).padStart(7)} ms  ${name}`);
  }
});
