import { FieldError } from "./field-error.ts";
import type { OpenHandheld } from "./handheld.ts";
import { FieldJournal, type FieldOperation, type LeasedMeter, type LeaseTerms, type LentKeys } from "./lease.ts";
import type { ByteLine } from "./line/byte-line.ts";
import type { FieldMemory } from "./memory.ts";
import type { MeterReading } from "./meter-reading.ts";
import { readShownCounter, visitMeter } from "./visit.ts";

/** What a visit is made with. */
export interface LeasedVisit {
  readonly memory: Pick<FieldMemory, "get" | "keep">;
  readonly handheld: Pick<OpenHandheld, "keys" | "verifying">;
  readonly terms: Pick<LeaseTerms, "client">;
  /** The meter's own. */
  readonly keys: LentKeys;
  readonly line: ByteLine;
}

/**
 * Visits a meter under its lease: asks it for the last counter that it has taken, writes down those above it, and uses them. What came
 * of it stands in the journal, whatever came of it.
 *
 * @throws FieldError, LineError, SessionError
 */
export async function visitLeased(
  { memory, handheld, terms, keys, line }: LeasedVisit,
  operation: FieldOperation,
  meter: LeasedMeter,
): Promise<MeterReading | undefined> {
  const journal = new FieldJournal(memory, handheld);
  const act = { meter: meter.meter, at: Date.now(), operation, address: line.address };
  let next: number | undefined;
  try {
    const shown = await readShownCounter(line, operation, meter);
    const { first, end } = await journal.take(meter, shown);
    next = first;
    const counters = {
      take: (count: number) => {
        const from = next ?? first;
        if (from + count > end) throw new FieldError("This visit has used up its counters.");
        next = from + count;
        return from;
      },
    };
    const reading = await visitMeter(line, operation, meter, terms.client, keys, counters);
    await journal.settle(meter.meter, next);
    await journal.note({ ...act, outcome: "done" });
    return reading;
  } catch (error) {
    if (next !== undefined) await journal.settle(meter.meter, next);
    await journal.note({ ...act, outcome: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}
