import { attempt } from "../association.ts";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";
import { DEVICE_NAME } from "../requests.ts";

/** Counters that go down. */
export const loweredCounter: Check = {
  id: "lowered-counter",
  title: "A counter lower than the last one is refused",
  severity: "critical",
  why: "A meter that takes counters in any order takes recorded requests, and the same counter twice under one key gives away what was encrypted.",
  how: "Counters are left out on purpose and used after a higher one, in a request and in an AARQ.",
  clause: "Green Book 9.2.3.3.7.3 (invocation counter)",
  async run(bench) {
    const lowForAarq = bench.counters.take(3);
    const association = await bench.associate();
    const low = bench.counters.take(1);
    const genuine = await association.get("a GET with the next counter but one", DEVICE_NAME);
    if (!genuine.served) throw new NotTestable(`The meter does not serve a GET: ${genuine.words}.`);
    const lowered = await association.get("a GET with the counter that was left out", DEVICE_NAME, { counter: low });
    if (lowered.served) return fail(`The meter served a GET with counter ${low} after a higher one.`);
    const config = bench.genuine();
    const begun = await attempt(await bench.open(), config, { take: () => lowForAarq }, "AARQ with a lower counter");
    if (begun.kind === "established")
      return fail(`The meter associated under counter ${lowForAarq} after higher ones.`);
    return pass(`The request was refused (${lowered.words}), and so was the AARQ.`);
  },
};
