import type { TestEvent } from "node:test/reporters";
import { pathToFileURL } from "node:url";

/** What a part of the tests came to. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Files that ended before their end, in words: none of the tests behind that have run. Each is counted as failed. */
  readonly broken: readonly string[];
  /** How long each file kept the part busy, its hooks included. */
  readonly milliseconds: Readonly<Record<string, number>>;
}

/** A reporter of node:test that writes nothing but {@link Totals} as one line of JSON. */
export default async function* totals(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const milliseconds: Record<string, number> = {};
  const failed = new Set<string>();
  let last = performance.now();
  for await (const event of events) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    // Files run one after the other: what has passed since the last event was this one's.
    const { file = "" } = event.data;
    milliseconds[file] = (milliseconds[file] ?? 0) - last;
    last = performance.now();
    milliseconds[file] += last;
    if (event.data.details.type === "suite") continue;
    if (event.type === "test:fail") {
      counts.failed += 1;
      failed.add(event.data.name);
    } else if (event.data.skip !== undefined && event.data.skip !== false) counts.skipped += 1;
    else counts.passed += 1;
  }
  const broken = await brokenOf(process.argv.slice(1).filter((file) => !failed.has(file)));
  counts.failed += broken.length;
  yield `${JSON.stringify({ ...counts, broken, milliseconds } satisfies Totals)}\n`;
}

/**
 * Of files that are run in this process, node:test tells of one that throws while it is loaded only where none of its tests had
 * been named by then. What was loaded is not loaded again: what it threw is thrown again.
 */
async function brokenOf(files: readonly string[]): Promise<readonly string[]> {
  const broken: string[] = [];
  for (const file of files)
    try {
      await import(pathToFileURL(file).href);
    } catch (error) {
      broken.push(`${file} threw while it was loaded: ${error instanceof Error ? error.stack : String(error)}`);
    }
  return broken;
}
