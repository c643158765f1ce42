import { type Check, fail, pass } from "../check.ts";
import { CLOCK_TIME, DEVICE_NAME, OBJECT_LIST } from "../requests.ts";

/** Requests without an association. */
export const unassociatedRequest: Check = {
  id: "unassociated-request",
  title: "Nothing is served to the management client without an association",
  severity: "critical",
  why: "A meter that serves whoever names the right client address needs no keys to be commanded.",
  how: "GET requests are sent on a new connection, as the management client, without an AARQ.",
  clause: "Green Book 9.4.1, 9.4.2",
  async run(bench) {
    const probe = await bench.open();
    for (const member of [DEVICE_NAME, CLOCK_TIME, OBJECT_LIST]) {
      const answer = await probe.ask(`GET ${member.logicalName} without association`, bench.requests.get(member));
      if (answer.served) return fail(`The meter served ${member.logicalName} without an association.`);
      // Some meters end the connection, which says no as well.
      if (answer.words.includes("closed")) break;
    }
    return pass("Nothing was served without an association.");
  },
};
