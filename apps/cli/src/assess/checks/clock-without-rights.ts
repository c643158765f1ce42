import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";
import { CLOCK_TIME, dataIn } from "../requests.ts";

/** The clock, set by who must not. */
export const clockWithoutRights: Check = {
  id: "clock-without-rights",
  title: "The clock cannot be set without rights",
  severity: "critical",
  why: "Who sets the clock decides which tariff applies, and can make recorded profiles be overwritten.",
  how: "The public client, and the management client without an association, set the clock to the time just read.",
  clause: "Blue Book 4.5.1 (Clock, attribute 2), 4.4.4",
  async run(bench) {
    const client = await bench.associatePublicly();
    const read = await client.say("GET the time", bench.requests.get(CLOCK_TIME));
    if (!read.served || read.plain === undefined)
      throw new NotTestable("The public client cannot read the time, so it cannot be written without changing it.");
    const request = bench.requests.set(CLOCK_TIME, dataIn(read.plain));
    const publicly = await client.say("SET the time as the public client", request);
    if (publicly.served) return fail("Anybody may set the clock.");
    const probe = await bench.open();
    const alone = await probe.ask("SET the time without an association", request);
    if (alone.served) return fail("The clock can be set without an association.");
    return pass(`The clock was not set (${publicly.words}; ${alone.words}).`);
  },
};
