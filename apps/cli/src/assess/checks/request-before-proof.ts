import { sealApdu } from "@meterkeep/dlms";
import { partiesIn } from "../association.ts";
import { type Check, fail, pass } from "../check.ts";
import { DEVICE_NAME } from "../requests.ts";

/** Requests between AARE and proof. */
export const requestBeforeProof: Check = {
  id: "request-before-proof",
  title: "Nothing is served before the client has proven itself",
  severity: "critical",
  why: "If an accepted AARQ is enough, the challenge protects nothing: a recorded AARQ opens the meter.",
  how: "After the AARE and before the proof, a plain and a ciphered GET are sent.",
  clause: "Green Book 9.2.2.2.2.4 (passes 3 and 4), 9.4.2",
  async run(bench) {
    for (const kind of ["plain", "ciphered"] as const) {
      const { probe, half } = await bench.begin("AARQ with the right keys");
      const parties = partiesIn(half);
      const plain = bench.requests.get(DEVICE_NAME);
      const wire = kind === "plain" || parties === undefined ? plain : sealApdu(parties, plain, bench.counters.take(1));
      const answer = await probe.ask(`a ${kind} GET before the proof`, wire, parties);
      if (answer.served) return fail(`The meter served a ${kind} GET before the client had proven itself.`);
    }
    return pass("A plain and a ciphered GET before the proof were refused.");
  },
};
