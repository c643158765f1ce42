import type { Secured } from "../association.ts";
import { type Check, fail, NotTestable, pass } from "../check.ts";
import { dataIn, getRequest, type Member } from "../requests.ts";

/** The LLS secret of the current association, and of the associations that IDIS and DSMR meters have beside it. */
const SECRETS: readonly Member[] = ["0.0.40.0.0.255", "0.0.40.0.1.255", "0.0.40.0.2.255", "0.0.40.0.3.255"].map(
  (logicalName) => ({ classId: 15, logicalName, index: 7 }),
);
const OCTET_STRING = 0x09;

/** Passwords that can be read. */
export const readableSecrets: Check = {
  id: "readable-secrets",
  title: "Passwords cannot be read",
  severity: "critical",
  why: "Some meters give the secret of one association to whoever has another.",
  how: "The secret of each association is read, as the public client and with the keys.",
  clause: "Blue Book 4.4.4 (Association LN, attribute 7)",
  async run(bench) {
    const clients: (readonly [string, Secured])[] = [];
    for (const [name, open] of [
      ["the public client", () => bench.associatePublicly()],
      ["the management client", () => bench.associate()],
    ] as const) {
      try {
        clients.push([name, await open()]);
      } catch (error) {
        if (!(error instanceof NotTestable)) throw error;
      }
    }
    if (clients.length === 0) throw new NotTestable("Neither the public client nor the keys were let in.");
    for (const [name, client] of clients)
      for (const member of SECRETS) {
        const { served, plain } = await client.say(
          `GET the secret of ${member.logicalName} as ${name}`,
          getRequest(member),
        );
        const value = served && plain !== undefined ? dataIn(plain) : undefined;
        if (value?.[0] === OCTET_STRING && (value[1] ?? 0) > 0)
          return fail(`The secret of ${member.logicalName} can be read by ${name}.`);
      }
    return pass(`No secret could be read by ${clients.map(([name]) => name).join(" or ")}.`);
  },
};
