import { sealApdu } from "@meterkeep/dlms";
import { partiesIn } from "../association.ts";
import { type Check, fail, pass } from "../check.ts";
import { DEVICE_NAME } from "../requests.ts";
import { sayWrongProof } from "../wrong-proof.ts";

/** A proof that proves nothing. */
export const wrongProof: Check = {
  id: "wrong-proof",
  title: "A wrong answer to the challenge is refused, and ends the association",
  severity: "critical",
  why: "A meter that does not verify the proof lets everybody in who can say an AARQ.",
  how: "The genuine proof is sent with one bit changed; then a GET.",
  clause: "Green Book 9.2.2.2.2.4 (pass 3)",
  async run(bench) {
    const { probe, half } = await bench.begin("AARQ with the right keys");
    const parties = partiesIn(half);
    const answer = await sayWrongProof(bench, probe, half);
    if (answer.served) return fail("The meter believed a wrong answer to its challenge.");
    const wire =
      parties === undefined
        ? bench.requests.get(DEVICE_NAME)
        : sealApdu(parties, bench.requests.get(DEVICE_NAME), bench.counters.take(1));
    const after = await probe.ask("a GET after the wrong proof", wire, parties);
    if (after.served) return fail("The meter refused the proof and served a GET all the same.");
    return pass(`The wrong proof was refused (${answer.words}), and what followed too (${after.words}).`);
  },
};
