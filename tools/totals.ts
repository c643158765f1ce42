import type { TestEvent } from "node:test/reporters";

/** What a part of the tests came to. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** How long each file kept the part busy, its hooks included. */
  readonly milliseconds: Readonly<Record<string, number>>;
}

/** A reporter of node:test that writes nothing but {@link Totals} as one line of JSON. */
export default async function* totals(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const milliseconds: Record<string, number> = {};
  let last = performance.now();
  for await (const event of events) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    // Files run one after the other: what has passed since the last event was this one's.
    const { file = "" } = event.data;
    milliseconds[file] = (milliseconds[file] ?? 0) - last;
    last = performance.now();
    milliseconds[file] += last;
    if (event.data.details.type === "suite") continue;
    if (event.type === "test:fail") counts.failed += 1;
    else if (event.data.skip !== undefined && event.data.skip !== false) counts.skipped += 1;
    else counts.passed += 1;
  }
  yield `${JSON.stringify({ ...counts, milliseconds } satisfies Totals)}\n`;
}
