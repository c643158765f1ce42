import type { ProtectionGrade } from "@meterkeep/api";
import type { LadderEntry } from "./ladder.ts";

/** A ladder as it is stored: its steps as JSON, and the octets of all of them one after the other. */
export interface PackedLadder {
  readonly steps: string;
  readonly octets: Uint8Array;
}

/** Milliseconds, to the meter, step, summary, octets, octets of plain or -1, protection, evidence as hex or null. */
type PackedStep = readonly [number, boolean, string, string, number, number, ProtectionGrade, string | null];

/** Packs a ladder into two values: a row a session, however many steps it has. */
export function packLadder(ladder: readonly LadderEntry[]): PackedLadder {
  const steps = ladder.map(
    ({ at, toMeter, step, summary, octets, plain, protection, evidence }): PackedStep => [
      at,
      toMeter,
      step,
      summary,
      octets.length,
      plain?.length ?? -1,
      protection,
      evidence === undefined ? null : Buffer.from(evidence).toString("hex"),
    ],
  );
  const pieces = ladder.flatMap(({ octets, plain }) => (plain === undefined ? [octets] : [octets, plain]));
  return { steps: JSON.stringify(steps), octets: Buffer.concat(pieces) };
}

/** The ladder of a row that {@link packLadder} made. */
export function unpackLadder({ steps, octets }: PackedLadder): readonly LadderEntry[] {
  let from = 0;
  const take = (count: number): Uint8Array => {
    from += count;
    return new Uint8Array(octets.subarray(from - count, from));
  };
  return (JSON.parse(steps) as readonly PackedStep[]).map(
    ([at, toMeter, step, summary, octetCount, plainCount, protection, evidence]) => ({
      at,
      toMeter,
      step,
      summary,
      octets: take(octetCount),
      plain: plainCount < 0 ? undefined : take(plainCount),
      protection,
      ...(evidence === null ? {} : { evidence: new Uint8Array(Buffer.from(evidence, "hex")) }),
    }),
  );
}
