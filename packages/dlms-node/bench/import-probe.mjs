import { readFileSync } from "node:fs";

// Imports the module it is given and says what that cost, as JSON: run by import-cost.ts in a process of its own, in plain
// JavaScript, since whoever installs the package need not load what strips types.

taken();
const before = taken();
const started = performance.now();
await import(process.argv[2]);
const milliseconds = performance.now() - started;
const after = taken();
console.log(
  JSON.stringify({
    milliseconds,
    heapBytes: after.heapBytes - before.heapBytes,
    residentBytes: after.residentBytes - before.residentBytes,
    // Linux says it; elsewhere it is left out.
    privateBytes: after.privateBytes === undefined ? undefined : after.privateBytes - before.privateBytes,
  }),
);

function taken() {
  const { heapUsed, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, residentBytes: rss, privateBytes: privateBytes() };
}

function privateBytes() {
  try {
    const kilobytes = /^RssAnon:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
