import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { decode, encode } from "../codec/codec.ts";
import { type AcseApdu, acseApdu } from "./acse-apdu.ts";

/** The first seven are examples of the Green Book (clause 11); the others are written by hand from 9.4.2.2. */
const SAMPLES: readonly (readonly [hex: string, value: AcseApdu])[] = [
  [
    "601da109060760857405080101be10040e01000000065f1f0400007e1f04b0",
    {
      kind: "aarq",
      value: {
        applicationContextName: "logical-name",
        userInformation: fromHex("01000000065f1f0400007e1f04b0"),
      },
    },
  ],
  [
    "6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738be10040e01000000065f1f0400007e1f04b0",
    {
      kind: "aarq",
      value: {
        applicationContextName: "logical-name",
        senderAcseRequirements: true,
        mechanismName: "low",
        callingAuthenticationValue: fromHex("3132333435363738"),
        userInformation: fromHex("01000000065f1f0400007e1f04b0"),
      },
    },
  ],
  [
    "601fa109060760857405080103a60a04084d4d4d0000bc614ea803020105bd0101",
    {
      kind: "aarq",
      value: {
        applicationContextName: "logical-name-ciphered",
        callingApTitle: fromHex("4d4d4d0000bc614e"),
        callingApInvocationId: 5,
        implementationInformation: fromHex("01"),
      },
    },
  ],
  [
    "6129a109060760857405080101a203020102a305a103020102be10040e0800065f1f040000501f01f40007",
    {
      kind: "aare",
      value: {
        applicationContextName: "logical-name",
        result: "rejected-transient",
        diagnostic: { kind: "acse-service-user", value: "application-context-name-not-supported" },
        userInformation: fromHex("0800065f1f040000501f01f40007"),
      },
    },
  ],
  [
    "6142a109060760857405080101a203020100a305a10302010e88020780890760857405080205aa0a8008503677524a323146be10040e0800065f1f040000501f01f40007",
    {
      kind: "aare",
      value: {
        applicationContextName: "logical-name",
        result: "accepted",
        diagnostic: { kind: "acse-service-user", value: "authentication-required" },
        responderAcseRequirements: true,
        mechanismName: "high-gmac",
        respondingAuthenticationValue: fromHex("503677524a323146"),
        userInformation: fromHex("0800065f1f040000501f01f40007"),
      },
    },
  ],
  [
    "6117a109060760857405080101a203020101a305a203020102",
    {
      kind: "aare",
      value: {
        applicationContextName: "logical-name",
        result: "rejected-permanent",
        diagnostic: { kind: "acse-service-provider", value: "no-common-acse-version" },
      },
    },
  ],
  ["6203800100", { kind: "rlrq", value: { reason: "normal" } }],
  ["6300", { kind: "rlre", value: {} }],
];

test("ACSE APDUs are read and written as the standard's examples say", () => {
  for (const [hex, value] of SAMPLES) {
    assert.deepEqual(decode(acseApdu, fromHex(hex)), value, hex);
    assert.equal(toHex(encode(acseApdu, value)), hex);
  }
});

test("an unknown mechanism or context passes as a number, so that a server can refuse it in its own words", () => {
  const value = decode(acseApdu, fromHex("601da109060760857405080163be10040e01000000065f1f0400007e1f04b0"));
  assert.equal(value.kind === "aarq" && value.value.applicationContextName, 0x63);
});

test("an RLRE with lengths counted too short is read, its content is still checked", () => {
  const expected = {
    kind: "rlre",
    value: { reason: "normal", userInformation: fromHex("0800065f1f0400001e5d04000007") },
  };
  assert.deepEqual(decode(acseApdu, fromHex("6311800100be0f040e0800065f1f0400001e5d04000007")), expected);
  assert.deepEqual(decode(acseApdu, fromHex("6315800100be10040e0800065f1f0400001e5d04000007")), expected);
  assert.throws(() => decode(acseApdu, fromHex("6311800100be0f040d0800065f1f0400001e5d04000007")), {
    code: "trailing-bytes",
    path: "rlre.userInformation",
  });
  assert.throws(() => decode(acseApdu, fromHex("6311800100be0f040f0800065f1f0400001e5d04000007")), {
    code: "truncated",
  });
});

test("everything else about lengths and order is strict", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["601da109060760857405080101be10040e01000000065f1f0400007e1f04", "truncated", "aarq"],
    ["6100", "truncated", "aare"],
    ["610ba109060760857405080101", "truncated", "aare"],
    ["600fa109060760857405080101bd0101bd", "unknown-tag", "aarq"],
    ["6012a109060760857405080101bd01018a020780", "unknown-tag", "aarq"],
    ["600ba109060760857405080901", "wrong-value", "aarq.applicationContextName.arc"],
    ["600ba10a060760857405080101", "truncated", "aarq.applicationContextName"],
    ["600ca10a06076085740508010100", "trailing-bytes", "aarq.applicationContextName"],
    ["6328", "truncated", "rlre"],
    ["6316800100be10040e0800065f1f0400001e5d04000007", "truncated", "rlre"],
    ["6215800100be0f040e0800065f1f0400001e5d04000007", "truncated", "rlrq.userInformation"],
  ];
  for (const [hex, code, path] of cases) assert.throws(() => decode(acseApdu, fromHex(hex)), { code, path }, hex);
});
