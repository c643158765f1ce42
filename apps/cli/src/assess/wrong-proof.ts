import { sealApdu } from "@meterkeep/dlms";
import type { Meaning } from "./answer.ts";
import { type HalfOpen, partiesIn } from "./association.ts";
import type { Bench } from "./bench.ts";
import type { Probe } from "./probe.ts";

/** Sends the proof with its last bit changed, sealed as the genuine one would be, and reads the answer. */
export async function sayWrongProof(bench: Bench, probe: Probe, half: HalfOpen): Promise<Meaning> {
  const parties = partiesIn(half);
  const plain = Uint8Array.from(half.proof.plain);
  plain[plain.length - 1] = plain[plain.length - 1]! ^ 1;
  const wire = parties === undefined ? plain : sealApdu(parties, plain, bench.counters.take(1));
  return await probe.ask("a proof with one bit changed", wire, parties);
}

/** Octets of an Action-Response-Normal before what the method returns. */
const RETURNED_AT = 4;

/** Whether an Action-Response brought data, whatever its result says. */
export function hasReturned({ plain }: Meaning): boolean {
  // A ReadResponse with data.
  if (plain?.[0] === 0x0c) return plain[2] === 0 && plain.length > RETURNED_AT + 1;
  // Get-Data-Result ::= CHOICE { data [0], data-access-result [1] }, after a flag that says it is there.
  return (
    plain?.[0] === 0xc7 && plain[RETURNED_AT] === 1 && plain[RETURNED_AT + 1] === 0 && plain.length > RETURNED_AT + 3
  );
}
