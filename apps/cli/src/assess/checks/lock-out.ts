import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";
import { median } from "../timing.ts";
import { sayWrongProof } from "../wrong-proof.ts";

const GUESSES = 20;
/** So much slower counts as slowing down. */
const SLOWER = 5;
const SLOWER_MS = 500;

/** What a meter does against guessing. */
export const lockOut: Check = {
  id: "lock-out",
  title: "The meter slows guessers down, and does not lock everybody out for good",
  severity: "medium",
  onRequest: true,
  why: "Without a limit passwords can be tried at the speed of the line; with a limit for ever, anybody can lock the utility out.",
  how: `${GUESSES} wrong proofs are sent in a row; then a right one, again and again for the time of --patience.`,
  clause: "Blue Book, class 124 (Communication port protection)",
  async run(bench) {
    await (await bench.associate()).get("before", { classId: 1, logicalName: "0.0.42.0.0.255", index: 2 });
    const times: number[] = [];
    let turnedAway = false;
    for (let guess = 0; guess < GUESSES && !turnedAway; guess += 1) {
      const begun = bench.parts.now();
      try {
        const { probe, half } = await bench.begin(`AARQ of guess ${guess + 1}`);
        await sayWrongProof(bench, probe, half);
        await probe[Symbol.asyncDispose]();
      } catch (error) {
        if (!(error instanceof NotTestable)) throw error;
        turnedAway = true;
      }
      times.push(bench.parts.now() - begun);
    }
    const slowed = isSlower(times);
    if (!turnedAway && !slowed) return fail(`The meter took ${GUESSES} wrong proofs in a row as fast as the first.`);
    try {
      await bench.associate("AARQ with the right keys after the guesses");
    } catch (error) {
      if (!(error instanceof NotTestable)) throw error;
      const seconds = Math.round(bench.parts.patienceMilliseconds / 1_000);
      return fail(
        `The meter turned guesses away after ${times.length}, and the right keys too, for more than ${seconds} s: wait longer with --patience, or call it locked out.`,
      );
    }
    return pass(
      turnedAway
        ? `The meter turned guessers away after ${times.length} wrong proofs, and took the right keys again.`
        : "The meter answered guesses slower and slower, and took the right keys again.",
    );
  },
};

function isSlower(times: readonly number[]): boolean {
  const quarter = Math.max(1, Math.floor(times.length / 4));
  const [early, late] = [median(times.slice(0, quarter)), median(times.slice(-quarter))];
  return late > early * SLOWER && late - early > SLOWER_MS;
}
