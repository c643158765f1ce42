import type { Secured } from "../association.ts";
import type { Bench } from "../bench.ts";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";
import { dataIn, type Member } from "../requests.ts";

/** The LLS secret of the current association, and of the associations that IDIS and DSMR meters have beside it. */
const SECRETS: readonly Member[] = ["0.0.40.0.0.255", "0.0.40.0.1.255", "0.0.40.0.2.255", "0.0.40.0.3.255"].map(
  (logicalName) => ({ classId: 15, logicalName, index: 7 }),
);
const OCTET_STRING = 0x09;

const CLIENTS: readonly (readonly [name: string, open: (bench: Bench) => Promise<Secured>])[] = [
  ["the public client", (bench) => bench.associatePublicly()],
  ["the management client", (bench) => bench.associate()],
];

/** Passwords that can be read. */
export const readableSecrets: Check = {
  id: "readable-secrets",
  title: "Passwords cannot be read",
  severity: "critical",
  why: "Some meters give the secret of one association to whoever has another.",
  how: "The secret of each association is read, as the public client and with the keys.",
  clause: "Blue Book 4.4.4 (Association LN, attribute 7)",
  async run(bench) {
    if (bench.isByShortNames) throw new NotTestable("Association SN has no attribute with its secret.");
    const asked: string[] = [];
    for (const [name, open] of CLIENTS) {
      const client = await open(bench).catch((error: unknown) => {
        if (error instanceof NotTestable) return undefined;
        throw error;
      });
      if (client === undefined) continue;
      asked.push(name);
      for (const member of SECRETS) {
        const label = `GET the secret of ${member.logicalName} as ${name}`;
        const { served, plain } = await client.say(label, bench.requests.get(member));
        const value = served && plain !== undefined ? dataIn(plain) : undefined;
        if (value?.[0] === OCTET_STRING && (value[1] ?? 0) > 0)
          return fail(`The secret of ${member.logicalName} can be read by ${name}.`);
      }
    }
    if (asked.length === 0) throw new NotTestable("Neither the public client nor the keys were let in.");
    return pass(`No secret could be read by ${asked.join(" or ")}.`);
  },
};
