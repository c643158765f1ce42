import { systemTitle } from "@meterkeep/dlms";
import { type Answer, meaningOf } from "../answer.ts";
import type { Bench } from "../bench.ts";
import { aarqOf } from "../challenges.ts";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";
import { timesDiffer } from "../timing.ts";

const ROUNDS = 6;

interface Case {
  readonly name: string;
  readonly aarq: (bench: Bench) => Uint8Array;
}

const CASES: readonly Case[] = [
  { name: "a wrong key", aarq: (bench) => aarqOf(bench, bench.stranger()) },
  { name: "a wrong tag", aarq: (bench) => withLastBitChanged(aarqOf(bench, bench.genuine())) },
  {
    name: "an unknown client",
    aarq: (bench) => aarqOf(bench, { ...bench.stranger(), systemTitle: systemTitle(bench.parts.random(8)) }),
  },
];

/** What refusals tell apart. */
export const errorOracle: Check = {
  id: "error-oracle",
  title: "Wrong keys, wrong tags and unknown clients are refused alike",
  severity: "medium",
  why: "Different words, or the same words later, tell a guesser which part of the guess was right.",
  how: `AARQs under a wrong key, with one bit of the tag changed, and of an unknown client are sent ${ROUNDS} times in turn; answers and times are compared.`,
  clause: "Green Book 9.4.2; CWE-203 (observable discrepancy)",
  async run(bench) {
    // Once for what is slow the first time, on neither account.
    for (const { aarq } of CASES) await (await bench.open()).say("before it counts", aarq(bench));
    const seen = new Map<string, Answer[]>(CASES.map(({ name }) => [name, []]));
    for (let round = 0; round < ROUNDS; round += 1)
      for (const { name, aarq } of CASES) {
        const probe = await bench.open();
        seen.get(name)!.push(await probe.say(`AARQ with ${name}`, aarq(bench)));
        await probe[Symbol.asyncDispose]();
      }
    const words = CASES.map(({ name }) => new Set(seen.get(name)!.map(classOf)));
    if (words.some(({ size }) => size > 1))
      throw new NotTestable("The meter changes its answers while it is tried; it may lock. The octets show how.");
    const [first, ...others] = words.map((set) => [...set][0]!);
    const odd = others.findIndex((one) => one !== first);
    if (odd !== -1)
      return fail(`The meter tells ${CASES[0]!.name} (${first}) from ${CASES[odd + 1]!.name} (${others[odd]}).`);
    const times = CASES.map(({ name }) => seen.get(name)!.map(({ milliseconds }) => milliseconds));
    const difference = timesDiffer(times);
    if (difference !== undefined)
      return fail(
        `The words are the same, the times are not: ${CASES[difference.fast]!.name} is refused ${difference.milliseconds.toFixed(1)} ms sooner than ${CASES[difference.slow]!.name}.`,
      );
    return pass(`All three are refused with the same words (${first}) and in the same time.`);
  },
};

/** Answer and length: what is random in a refusal must not count. */
function classOf(answer: Answer): string {
  const octets = answer.kind === "octets" ? `, ${answer.octets.length} octets` : "";
  return `${meaningOf(answer).words}${octets}`;
}

/** The InitiateRequest stands last in an AARQ, and its tag last in that. */
function withLastBitChanged(aarq: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(aarq);
  changed[changed.length - 1] = changed[changed.length - 1]! ^ 1;
  return changed;
}
