import { parseProtectedApdu, protectionFormOf, readSecurityControl } from "@meterkeep/dlms";
import { meaningOf } from "../answer.ts";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";
import { DEVICE_NAME } from "../requests.ts";

/** How answers are protected. */
export const responseProtection: Check = {
  id: "response-protection",
  title: "Answers are encrypted and authenticated as their requests were",
  severity: "high",
  why: "An answer without a tag is a reading that anybody on the line can change; one in clear is a reading that anybody can see.",
  how: "A GET is sent with authenticated encryption, and the security control of its answer is looked at.",
  clause: "Blue Book 4.4.7 (security_policy), Green Book 9.2.7.2.4.1",
  async run(bench) {
    const association = await bench.associate();
    const answer = await association.probe.say(
      "a GET, encrypted and authenticated",
      association.seal(bench.requests.get(DEVICE_NAME)),
    );
    const { served, protection, words } = meaningOf(answer, association.parties);
    if (answer.kind !== "octets" || (protection === "plain" && !served))
      throw new NotTestable(`The meter does not serve a GET: ${words}.`);
    if (protectionFormOf(answer.octets[0] ?? 0) === undefined) return fail("The answer came in clear.");
    const { authenticated, encrypted } = readSecurityControl(parseProtectedApdu(answer.octets).content[0] ?? 0);
    if (!authenticated) return fail("The answer is encrypted and has no tag.");
    if (!encrypted) return fail("The answer is authenticated and not encrypted.");
    return served ? pass("The answer is encrypted and its tag holds.") : fail(`The answer cannot be opened: ${words}.`);
  },
};
