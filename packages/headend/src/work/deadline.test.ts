import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { deadline } from "./deadline.ts";

test("it ends when its time is up, or with the signal that it follows, and never after it was disposed of", async () => {
  const closing = new AbortController();
  using short = deadline(closing.signal, 1);
  await once(short.signal, "abort");
  assert.equal((short.signal.reason as Error).name, "TimeoutError");
  using long = deadline(closing.signal, 3_600_000);
  const over = deadline(closing.signal, 3_600_000);
  over[Symbol.dispose]();
  closing.abort(new Error("closing"));
  assert.deepEqual([long.signal.reason, over.signal.aborted], [closing.signal.reason, false]);
  using late = deadline(closing.signal, 3_600_000);
  assert.ok(late.signal.aborted);
});
