import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";
import { CLOCK_TIME, DEVICE_NAME, dataIn, type Member } from "../requests.ts";

/** What can be written without effect, since it is what stands there. */
const TARGETS: readonly Member[] = [
  DEVICE_NAME,
  { ...CLOCK_TIME, index: 3 },
  { ...CLOCK_TIME, index: 8 },
  { classId: 1, logicalName: "0.0.43.1.0.255", index: 2 },
];

/** Writes of the public client. */
export const publicWrites: Check = {
  id: "public-writes",
  title: "The public client cannot write",
  severity: "critical",
  why: "Lists of rights may say one thing and meters do another; what anybody can write, anybody can break.",
  how: "Attributes that the public client can read are written with the very value that was read.",
  clause: "Blue Book 4.4.4 (access rights)",
  async run(bench) {
    const client = await bench.associatePublicly();
    const tried: string[] = [];
    for (const member of TARGETS) {
      const where = `${member.logicalName}/${member.index}`;
      const read = await client.say(`GET ${where}`, bench.requests.get(member));
      if (!read.served || read.plain === undefined) continue;
      tried.push(where);
      const written = await client.say(`SET ${where} to what it is`, bench.requests.set(member, dataIn(read.plain)));
      if (written.served) return fail(`Anybody may write ${where}.`);
    }
    if (tried.length === 0) throw new NotTestable("The public client can read nothing that could be written back.");
    return pass(`Writing ${tried.join(", ")} was refused.`);
  },
};
