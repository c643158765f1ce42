import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeCurves, nodePlatform } from "@meterkeep/dlms-node";
import { concatBytes, fromHex, toHex } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import { systemTitle } from "../system-title.ts";
import { protectContent } from "./content.ts";
import { securityControl } from "./control.ts";
import { protectData } from "./data-protection.ts";
import { GBCS_FLAGS, gbcsKey, openGbcsPayload, parseGbcsMessage, verifyGbcsMac } from "./gbcs.ts";
import { signApdu, verifySignedApdu } from "./general-signing.ts";
import { GBCS_SECURITY } from "./profile.ts";

// What is built here the published messages verify: `npm run gbcs -- CHECKOUT`.

const SUPPLIER = systemTitle(fromHex("90b3d51f30010000"));
const DEVICE = systemTitle(fromHex("00db1234567890a0"));
const OTHER = systemTitle(fromHex("90b3d51f30000002"));
const COUNTER = fromHex("00000000000003e8");
const [supplierSigning, broker, device] = [
  nodeCurves.generate("P-256"),
  nodeCurves.generate("P-256"),
  nodeCurves.generate("P-256"),
];
const signing = { curves: nodeCurves, suite: 1, profile: GBCS_SECURITY } as const;
const atDevice = { agreement: device.privateKey, otherAgreement: broker.publicKey };
const atBroker = { agreement: broker.privateKey, otherAgreement: device.publicKey };

function command(otherInformation = fromHex("0050")): Uint8Array {
  const header = {
    transactionId: concatBytes(Uint8Array.of(GBCS_FLAGS.command), COUNTER),
    originator: SUPPLIER,
    recipient: DEVICE,
    dateTime: fromHex(""),
    otherInformation,
  };
  return signApdu(
    signing,
    supplierSigning.privateKey,
    header,
    fromHex("d9200003e800010300090000" + "0a006aff010101120034"),
  );
}

/** Puts a MAC around a message as the broker does. */
function authenticated(message: Uint8Array): Uint8Array {
  const use = { flag: "command", counter: COUNTER, originator: SUPPLIER, recipient: DEVICE } as const;
  const keys = { encryption: gbcsKey(nodePlatform, atBroker, use), authentication: fromHex("") };
  const control = securityControl({ suite: 1, authenticated: true });
  const content = protectContent(
    nodePlatform.ciphers,
    keys,
    { control, counter: 0, originator: SUPPLIER, associated: new Uint8Array(5) },
    message,
  );
  const length = Uint8Array.of(0x81, content.length);
  return concatBytes(fromHex("dd000000000000"), length, content);
}

test("a command is taken apart, its signature and its MAC hold, and no changed octet passes", () => {
  const octets = authenticated(command());
  const verify = (changed: Uint8Array) => {
    const message = parseGbcsMessage(changed);
    verifyGbcsMac(nodePlatform, atDevice, message);
    verifySignedApdu(signing, supplierSigning.publicKey, message.signed);
    return message;
  };
  const { flag, messageCode, originator, recipient, counter } = verify(octets);
  assert.deepEqual([flag, messageCode, toHex(counter)], ["command", 0x50, toHex(COUNTER)]);
  assert.deepEqual([originator, recipient], [SUPPLIER, DEVICE]);
  for (let at = 0; at < octets.length; at += 1) {
    const changed = concatBytes(octets);
    changed[at]! ^= 1 << (at & 7);
    assert.throws(() => verify(changed), DlmsError, `octet ${at}`);
  }
});

test("a command that its signer has not seen yet may end with its content", () => {
  const signed = command();
  const message = parseGbcsMessage(signed.subarray(0, signed.length - 65));
  assert.equal(message.signed.signature.length, 0);
  assert.throws(() => verifySignedApdu(signing, supplierSigning.publicKey, message.signed), {
    code: "authentication-failed",
  });
  assert.throws(() => verifyGbcsMac(nodePlatform, atDevice, message), { code: "protection-mismatch" });
});

test("what is no message of GBCS is refused with its place", () => {
  for (const [hex, code] of [
    ["dd0101000000000000", "wrong-value"],
    [`df0908000000000000000008${toHex(SUPPLIER)}08${toHex(DEVICE)}00020050000000`, "trailing-bytes"],
    [`df0908000000000000000008${toHex(SUPPLIER)}08${toHex(DEVICE)}000200500000`, "wrong-value"],
    [`df0901000000000000000008${toHex(SUPPLIER)}00000200500000`, "wrong-length"],
  ] as const)
    assert.throws(() => parseGbcsMessage(fromHex(hex)), { code }, hex);
});

test("data for another than the recipient is opened by whom the message names beside it", () => {
  const supplementaryCounter = fromHex("00000000000007d2");
  const information = concatBytes(fromHex("0034"), OTHER, fromHex("00000000000003ec"), supplementaryCounter);
  const message = parseGbcsMessage(command(information));
  const reader = nodeCurves.generate("P-256");
  const layer = { type: "authentication-encryption", source: "static", originator: DEVICE, counter: 0 } as const;
  const setup = {
    platform: nodePlatform,
    suite: 1,
    profile: GBCS_SECURITY,
    keys: { encryption: device.privateKey, agreement: device.privateKey, otherAgreement: reader.publicKey },
  } as const;
  const meant = concatBytes(Uint8Array.of(GBCS_FLAGS.encryption), supplementaryCounter);
  const made = protectData(setup, [{ ...layer, recipient: OTHER, transactionId: meant }], fromHex("1107"));
  // The parameters name the message's own parties all the same.
  const parameters = made.parameters.map(({ protectionOptions, protectionType }) => ({
    protectionType,
    protectionOptions: {
      ...protectionOptions,
      recipientSystemTitle: SUPPLIER,
      transactionId: concatBytes(Uint8Array.of(4), COUNTER),
    },
  }));
  const keys = { agreement: reader.privateKey, otherAgreement: device.publicKey };
  assert.equal(toHex(openGbcsPayload(nodePlatform, keys, message, { parameters, octets: made.octets })), "1107");
});
