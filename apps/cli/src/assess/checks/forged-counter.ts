import { createSecretKey } from "node:crypto";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";
import { DEVICE_NAME } from "../requests.ts";

const AHEAD = 1_000;

/** Counters of messages that are not authentic. */
export const forgedCounter: Check = {
  id: "forged-counter",
  title: "A forged request does not move the counter",
  severity: "high",
  why: "If anybody can raise the counter, one forged message locks every genuine client out, for good when it says the highest number.",
  how: `A GET under a wrong key claims a counter ${AHEAD} ahead; then a genuine GET goes on where the counter was.`,
  clause: "Green Book 9.2.3.3.7.3: verify first, then accept the counter",
  async run(bench) {
    const association = await bench.associate();
    const next = bench.counters.take(1);
    const encryptionKey = createSecretKey(bench.parts.random(16));
    for (const authenticated of [true, false]) {
      const what = authenticated ? "with a wrong tag" : "without a tag";
      const forged = await association.get(`a forged GET ${what}, ${AHEAD} ahead`, DEVICE_NAME, {
        counter: next + AHEAD,
        ciphering: { encryptionKey, authenticated },
      });
      if (forged.served) return fail(`The meter served a forged GET ${what}.`);
    }
    const genuine = await association.get("the genuine GET after it", DEVICE_NAME, { counter: next });
    if (genuine.served) return pass("The forged counter was not taken: the genuine request after it was served.");
    // The meter may have ended the association, which is its right.
    const anew = await bench.attempt(bench.genuine(), "AARQ with the right keys and the next counters");
    if (anew.kind === "established")
      return pass("The forged counter was not taken: a new association goes on where it was.");
    // Goes on above what the forgery has claimed, for the checks that follow.
    bench.counters.take(AHEAD + 1);
    const above = await bench.attempt(bench.genuine(), `AARQ with counters ${AHEAD} ahead`);
    if (above.kind !== "established")
      throw new NotTestable("The meter served nothing more after the forgery, for whatever reason.");
    return fail(`The counter of a forged request was taken: only counters ${AHEAD} ahead were served after it.`);
  },
};
