import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";
import { DEVICE_NAME } from "../requests.ts";

/** The same octets twice. */
export const replayedRequest: Check = {
  id: "replayed-request",
  title: "A request that was recorded is refused when it comes again",
  severity: "critical",
  why: "Whoever can record the line can repeat what was once commanded, a disconnection for instance, without any key.",
  how: "A genuine GET is sent, and its octets once more: in the same association and in a new one.",
  clause: "Green Book 9.2.3.3.7.3 (invocation counter)",
  async run(bench) {
    const first = await bench.associate();
    const wire = first.seal(bench.requests.get(DEVICE_NAME));
    const genuine = await first.sayWire("a genuine GET", wire);
    if (!genuine.served) throw new NotTestable(`The meter does not serve a GET: ${genuine.words}.`);
    const again = await first.sayWire("the same octets again", wire);
    if (again.served) return fail("The meter served the same octets a second time in one association.");
    const second = await bench.associate();
    const later = await second.sayWire("the same octets in a new association", wire);
    if (later.served) return fail("The meter served octets of an earlier association in a new one.");
    return pass(`Both repetitions were refused (${again.words}; ${later.words}).`);
  },
};
