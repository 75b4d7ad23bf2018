// The first view is light: 1,000 entries, everything that is loaded, over the wire.

import assert from "node:assert/strict";
import test from "node:test";
import { Drawer, ready, rows, visit } from "./harness.mjs";

test("the first view of 1,000 entries takes less than 60 KB over the wire in all", async () => {
  const drawer = await Drawer.open(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`photo of the year ${i * 7919} ${["jpg", "txt", "pdf", "zip"][i % 4]}.${["jpg", "txt", "pdf", "zip"][i % 4]}`, "x".repeat(i % 300)])));
  for (const lang of ["pt-BR", "en"]) {
    const page = await visit(drawer, { lang, path: "/nothing" });
    await page.context().clearCookies();
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.clearBrowserCache");
    await session.send("Network.setCacheDisabled", { cacheDisabled: true });
    let bytes = 0;
    const parts = [];
    const names = new Map();
    session.on("Network.responseReceived", ({ requestId, response }) => names.set(requestId, response.url));
    session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      bytes += encodedDataLength;
      parts.push(`${encodedDataLength} ${names.get(requestId)}`);
    });
    await session.send("Performance.enable");
    await page.goto(drawer.url);
    await ready(page);
    await rows(page, 1000);
    await page.waitForLoadState("networkidle");
    const { metrics } = await session.send("Performance.getMetrics");
    const scripting = metrics.find(({ name }) => name === "ScriptDuration").value * 1000;
    console.log(`${lang}: ${bytes} bytes in ${parts.length} answers; ${scripting.toFixed(0)} ms of scripting`);
    if (process.env.PARTS) console.log(parts.join("\n"));
    assert.ok(bytes < 60_000, `${bytes} bytes:\n${parts.join("\n")}`);
  }
});
