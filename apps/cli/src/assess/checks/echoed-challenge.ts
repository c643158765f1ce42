import { equalBytes, toHex } from "@meterkeep/dlms";
import { challengesFor } from "../challenges.ts";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";

/** Challenges that equal ours. */
export const echoedChallenge: Check = {
  id: "echoed-challenge",
  title: "The meter's challenge is not the client's",
  severity: "critical",
  why: "If both challenges are equal, the answers to them differ in nothing but the title, and in some mechanisms in nothing at all.",
  how: "Three AARQs with different challenges of ours are sent, and the meter's compared.",
  clause: "Green Book 9.2.2.2.2.4 (StoC and CtoS)",
  async run(bench) {
    const ours = [bench.challenge(), bench.challenge(), new Uint8Array(bench.challenge().length).fill(0x5a)];
    const theirs = await challengesFor(bench, ours);
    if (theirs.length === 0) throw new NotTestable("The meter does not begin to prove itself with the keys given.");
    const echoed = theirs.find((challenge, at) => equalBytes(challenge, ours[at]!));
    return echoed === undefined
      ? pass("None of its challenges was ours.")
      : fail(`The meter sent our own challenge back as its own (${toHex(echoed)}).`);
  },
};
