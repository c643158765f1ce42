import { objectionTo } from "../challenge-quality.ts";
import { challengesFor } from "../challenges.ts";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";

const SAMPLES = 24;
const FEW = 8;

/** Length, repetition and randomness of the meter's challenges. */
export const challengeQuality: Check = {
  id: "challenge-quality",
  title: "Challenges are long, never the same and not predictable",
  severity: "high",
  why: "A challenge that comes again, or that can be guessed, can be answered with a recorded answer.",
  how: `${SAMPLES} AARQs are sent, and the challenges compared: length, repetition, octets that never change, steps, and the balance of their bits.`,
  clause: "Green Book 9.2.2.2.2.4 (8 to 64 octets), NIST SP 800-22 (frequency)",
  async run(bench) {
    const challenges = await challengesFor(
      bench,
      Array.from({ length: SAMPLES }, () => bench.challenge()),
    );
    if (challenges.length < FEW) throw new NotTestable(`Only ${challenges.length} challenges were to be had.`);
    const objection = objectionTo(challenges);
    const lengths = [...new Set(challenges.map(({ length }) => length))].join(", ");
    return objection === undefined
      ? pass(`${challenges.length} challenges of ${lengths} octets, all different, and nothing against them.`)
      : fail(`Of ${challenges.length} challenges ${objection}.`);
  },
};
