import { getHeapStatistics } from "node:v8";
import { d, dateTimeAt, dateTimeOctets, decode, ProfileDecoder, Writer } from "@meterkeep/dlms";

// A load profile of 2 880 rows, a clock, a status and four registers each, decoded again and again: whole, in GET blocks
// of 1 000 octets, and with clock and status left out where they say nothing new. Beside it the generic tree of the same
// octets. Allocation is what the engine counts, collected or not.

const ROWS = 2880;
const PERIOD = 900;
const START = Date.UTC(2026, 10, 1);
const BLOCK_BYTES = 1000;
const ALLOCATION_ROUNDS = 50;
const generic = d.array(d.any);

/** Prints rows a second and octets of heap a row, for about `seconds` each way. */
export function benchProfile(seconds: number): void {
  const full = profileOctets(false);
  const compressed = profileOctets(true);
  const options = { capturePeriod: PERIOD };
  report("whole, 6 columns", full, seconds, () => decodeRows(full, full.length));
  report(`in blocks of ${BLOCK_BYTES} octets`, full, seconds, () => decodeRows(full, BLOCK_BYTES));
  report("null-data for clock and status", compressed, seconds, () => decodeRows(compressed, BLOCK_BYTES, options));
  report("as a generic tree", full, seconds, () => decode(generic, full).length);
}

// Looked at, so that nothing of the work is left out.
const sums = new Float64Array(1);

function decodeRows(octets: Uint8Array, pieceBytes: number, options?: { capturePeriod: number }): number {
  const decoder = new ProfileDecoder((row) => {
    sums[0] = row.instant(0) + row.number(1) + row.number(2) + row.number(3) + row.number(4) + row.number(5);
  }, options);
  for (let at = 0; at < octets.length; at += pieceBytes) decoder.push(octets.subarray(at, at + pieceBytes));
  decoder.end();
  return decoder.rows;
}

function report(what: string, octets: Uint8Array, seconds: number, work: () => number): void {
  for (let warm = 0; warm < 400; warm += 1) if (work() !== ROWS) throw new Error("rows are missing");
  const before = allocatedBytes();
  for (let round = 0; round < ALLOCATION_ROUNDS; round += 1) work();
  const allocated = (allocatedBytes() - before) / ALLOCATION_ROUNDS;
  let best = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    const started = performance.now();
    work();
    best = Math.min(best, performance.now() - started);
  }
  const millions = ROWS / best / 1000;
  console.log(
    `profile of ${ROWS} rows (${octets.length} octets), ${what}: ${millions.toFixed(1)} million rows/s, ` +
      `${((best * 1e6) / ROWS).toFixed(0)} ns and ${(allocated / ROWS).toFixed(1)} octets allocated a row`,
  );
}

function allocatedBytes(): number {
  const { total_allocated_bytes = Number.NaN } = getHeapStatistics() as { readonly total_allocated_bytes?: number };
  return total_allocated_bytes;
}

function profileOctets(leavesOut: boolean): Uint8Array {
  const w = new Writer(ROWS * 40);
  w.unsigned8(1);
  w.length(ROWS);
  for (let row = 0; row < ROWS; row += 1) {
    w.unsigned8(2);
    w.unsigned8(6);
    if (leavesOut && row % 96 !== 0) {
      w.unsigned8(0);
      w.unsigned8(0);
    } else {
      w.unsigned8(9);
      w.unsigned8(12);
      dateTimeOctets.encode(w, dateTimeAt(START + row * PERIOD * 1000, -60));
      w.unsigned8(17);
      w.unsigned8(0);
    }
    for (let register = 0; register < 4; register += 1) {
      w.unsigned8(6);
      w.unsigned32(row * 137 + register);
    }
  }
  return w.finish();
}
