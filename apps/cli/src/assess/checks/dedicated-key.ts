import { attempt } from "../association.ts";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";
import { DEVICE_NAME } from "../requests.ts";

/** Requests under the key of one association alone. */
export const dedicatedKey: Check = {
  id: "dedicated-key",
  title: "A dedicated key protects as much as the global one, and ends with its association",
  severity: "high",
  why: "Counters begin anew with each dedicated key: a meter that looks at them less closely there, or remembers the key for longer, can be told again what it was told before.",
  how: "An association brings a dedicated key; under it a GET is repeated, sent with an old counter and with less protection; then it is sent in the next association, which brings another key.",
  clause: "Green Book 9.2.3.3.6 (dedicated key), 9.2.3.3.7.3 (invocation counter)",
  async run(bench) {
    await bench.associate();
    const outcome = await attempt(await bench.open(), bench.dedicated(), bench.counters, "AARQ with a dedicated key");
    if (outcome.kind !== "established") throw new NotTestable("The meter takes no dedicated key.");
    const { association } = outcome;
    const low = bench.counters.take(1);
    const wire = association.seal(bench.requests.get(DEVICE_NAME));
    const genuine = await association.sayWire("a GET under the dedicated key", wire);
    if (!genuine.served)
      throw new NotTestable(`The meter does not serve a GET under a dedicated key: ${genuine.words}.`);
    const again = await association.sayWire("the same octets again", wire);
    if (again.served) return fail("The meter served the same octets a second time under a dedicated key.");
    const lowered = await association.get("a GET with the counter that was left out", DEVICE_NAME, { counter: low });
    if (lowered.served) return fail(`The meter served a GET with counter ${low} after a higher one.`);
    const weaker = await association.get("a GET without a tag", DEVICE_NAME, { ciphering: { authenticated: false } });
    if (weaker.served) return fail("The meter served a GET without a tag under a dedicated key.");
    // Under the old key and with a counter that was never used: only the key can be what is wrong with it.
    const late = association.seal(bench.requests.get(DEVICE_NAME));
    const next = await attempt(
      await bench.open(),
      bench.dedicated(),
      bench.counters,
      "AARQ with another dedicated key",
    );
    if (next.kind !== "established") throw new NotTestable("The meter takes no second association.");
    const after = await next.association.sayWire("a GET under the dedicated key of the association before", late);
    if (after.served) return fail("The meter served a GET under the dedicated key of an association that is over.");
    return pass(`All were refused (${again.words}; ${lowered.words}; ${weaker.words}; ${after.words}).`);
  },
};
