import type { TestEvent } from "node:test/reporters";

/** A reporter of node:test that writes nothing but one JSON line: how many tests passed, failed and were skipped. */
export default async function* totals(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const event of events) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    if (event.data.details.type === "suite") continue;
    if (event.type === "test:fail") counts.failed += 1;
    else if (event.data.skip !== undefined && event.data.skip !== false) counts.skipped += 1;
    else counts.passed += 1;
  }
  yield `${JSON.stringify(counts)}\n`;
}
