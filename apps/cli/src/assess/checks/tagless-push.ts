import { createSecretKey } from "node:crypto";
import { DlmsError, openPush, parseProtectedApdu, protectionFormOf, readSecurityControl, toHex } from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import type { Bench, SeenPush } from "../bench.ts";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";

/** How pushes are protected. */
export const taglessPush: Check = {
  id: "tagless-push",
  title: "Pushes carry an authentication tag, and it holds",
  severity: "high",
  why: "A push without a tag can be changed on its way: bits of the reading are flipped without any key.",
  how: "Pushes that the meter sends to --push-listen, or that a file holds, are looked at.",
  clause: "Blue Book 4.4.8 (push setup), Green Book 9.2.7.2",
  async run(bench) {
    const seen = bench.parts.pushes;
    if (seen === undefined)
      throw new NotTestable(
        "Nobody listened for pushes: --push-listen, to which the meter must be set, or --push-file.",
      );
    const pushes = await seen();
    if (pushes.length === 0) throw new NotTestable("The meter sent no push while it was listened to.");
    for (const push of pushes) {
      bench.evidence.received(`a push from ${push.from}`, push.apdu, 0);
      const objection = objectionTo(bench, push);
      if (objection !== undefined) return fail(objection);
    }
    if (bench.access.keys === undefined)
      throw new NotTestable(
        `${pushes.length} pushes have a tag, and without the keys nobody can say whether it holds.`,
      );
    return pass(`${pushes.length} pushes have a tag that holds.`);
  },
};

function objectionTo(bench: Bench, { apdu }: SeenPush): string | undefined {
  const tag = apdu[0] ?? 0;
  if (protectionFormOf(tag) === undefined) return `A push (tag 0x${tag.toString(16)}) is not protected at all.`;
  const control = readSecurityControl(parseProtectedApdu(apdu).content[0] ?? 0);
  if (!control.authenticated)
    return `A push is encrypted and has no tag (security control ${toHex(Uint8Array.of(parseProtectedApdu(apdu).content[0] ?? 0))}).`;
  if (!control.encrypted) return "A push is authenticated and not encrypted.";
  const { keys } = bench.access;
  if (keys === undefined) return undefined;
  try {
    const set = { encryption: createSecretKey(keys.encryptionKey), authentication: keys.authenticationKey };
    const { authenticated } = openPush(apdu, { ciphers: nodeCiphers, keysOf: () => set });
    return authenticated ? undefined : "The tag of a push could not be checked.";
  } catch (error) {
    if (error instanceof DlmsError) return `A push does not open with the keys given: ${error.message}.`;
    throw error;
  }
}
