import { partiesIn } from "../association.ts";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";

/** A whole recorded association, said again. */
export const replayedAssociation: Check = {
  id: "replayed-association",
  title: "A recorded association opens nothing when it is said again",
  severity: "critical",
  why: "If the recorded proof still fits, whoever has listened once is let in as the management client.",
  how: "AARQ and proof of a genuine association are recorded and sent again on a new connection.",
  clause: "Green Book 9.2.2.2.2.4 (HLS), 9.2.3.3.7.3",
  async run(bench) {
    const { probe, half } = await bench.begin("AARQ with the right keys");
    const parties = partiesIn(half);
    const proof = await probe.ask("the genuine proof", half.proof.apdu, parties);
    if (!proof.served) throw new NotTestable(`The meter does not take the genuine proof: ${proof.words}.`);
    const replay = await bench.open();
    const accepted = await replay.ask("the recorded AARQ", half.aarq, parties);
    const proven = await replay.ask("the recorded proof", half.proof.apdu, parties);
    if (proven.served) return fail("The meter believed a recorded proof.");
    return pass(
      `The genuine proof was taken (${proof.words}), the recorded one not (${accepted.words}; ${proven.words}).`,
    );
  },
};
