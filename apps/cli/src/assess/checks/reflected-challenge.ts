import { equalBytes } from "@meterkeep/dlms";
import { aareIn } from "../answer.ts";
import { withChallenge } from "../challenges.ts";
import { type Check, fail, pass } from "../check.ts";
import { hasReturned, sayWrongProof } from "../wrong-proof.ts";

/** Ways to have the meter answer its own challenge. */
export const reflectedChallenge: Check = {
  id: "reflected-challenge",
  title: "The meter answers no challenge to a stranger, least of all its own",
  severity: "critical",
  why: "Who can have the meter compute the answer to its own challenge needs no key: he asks on one connection and answers on another.",
  how: "A wrong proof is sent, and the answer searched for the meter's own proof; an AARQ bears the meter's own system title; another sends the meter's last challenge back as ours.",
  clause: "Green Book 9.2.2.2.2.4; reflection attacks on symmetric challenge and response",
  async run(bench) {
    const { probe, half } = await bench.begin("AARQ with the right keys");
    const answer = await sayWrongProof(bench, probe, half);
    if (hasReturned(answer)) return fail("The meter answered our challenge although our proof was wrong.");
    const server = half.state.accepted.negotiated.serverSystemTitle;
    if (server !== undefined) {
      const config = { ...bench.genuine(), systemTitle: server };
      const outcome = await bench.attempt(config, "AARQ of a client that bears the meter's own title");
      const aare =
        outcome.kind === "established" || outcome.last.kind !== "octets" ? undefined : aareIn(outcome.last.octets);
      if (outcome.kind === "established" || aare?.result === "accepted")
        return fail("The meter accepts a client that bears its own system title: its own answers are that client's.");
    }
    const back = withChallenge(bench.genuine(), half.serverChallenge);
    const outcome = await bench.attempt(back, "AARQ whose challenge is the meter's last one");
    const { last } = outcome.kind === "established" ? { last: undefined } : outcome;
    const echoed = last?.kind === "octets" ? aareIn(last.octets)?.respondingAuthenticationValue : undefined;
    if (echoed !== undefined && equalBytes(echoed, half.serverChallenge))
      return fail("The meter used one challenge for two associations when it was sent back to it.");
    return pass("A wrong proof got no answer to our challenge, and neither title nor challenge could be turned round.");
  },
};
