import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { decode, encode } from "../codec/codec.ts";
import { type Apdu, apdu } from "./apdu.ts";

const invokeIdAndPriority = { invokeId: 1, confirmed: true, highPriority: true } as const;
const clockTime = { classId: 8, instanceId: fromHex("0000010000ff"), attributeId: 2 };
const invoke = { invokeIdAndPriority };

/** Written by hand from the productions of Green Book 9.5; the first group is its own examples. */
const SAMPLES: readonly (readonly [hex: string, value: Apdu])[] = [
  [
    "01011000112233445566778899aabbccddeeff0000065f1f0400007e1f04b0",
    {
      kind: "initiate-request",
      value: {
        dedicatedKey: fromHex("00112233445566778899aabbccddeeff"),
        responseAllowed: true,
        proposedDlmsVersionNumber: 6,
        proposedConformance: [
          "priority-mgmt-supported",
          "attribute0-supported-with-get",
          "block-transfer-with-get-or-read",
          "block-transfer-with-set-or-write",
          "block-transfer-with-action",
          "multiple-references",
          "get",
          "set",
          "selective-access",
          "event-notification",
          "action",
        ],
        clientMaxReceivePduSize: 1200,
      },
    },
  ],
  [
    "0800065f1f040000501f01f40007",
    {
      kind: "initiate-response",
      value: {
        negotiatedDlmsVersionNumber: 6,
        negotiatedConformance: [
          "priority-mgmt-supported",
          "block-transfer-with-get-or-read",
          "get",
          "set",
          "selective-access",
          "event-notification",
          "action",
        ],
        serverMaxReceivePduSize: 500,
        vaaName: 7,
      },
    },
  ],
  [
    "0e010601",
    {
      kind: "confirmed-service-error",
      value: { kind: "initiate-error", value: { kind: "initiate", value: "dlms-version-too-low" } },
    },
  ],
  [
    "c001c100080000010000ff0200",
    { kind: "get-request", value: { kind: "normal", value: { ...invoke, attribute: clockTime } } },
  ],
  [
    "c001c100080000010000ff0201011105",
    {
      kind: "get-request",
      value: {
        kind: "normal",
        value: { ...invoke, attribute: clockTime, access: { selector: 1, parameters: { type: "unsigned", value: 5 } } },
      },
    },
  ],
  ["c002c100000002", { kind: "get-request", value: { kind: "next", value: { ...invoke, blockNumber: 2 } } }],
  [
    "c003c10100080000010000ff0200",
    { kind: "get-request", value: { kind: "with-list", value: { ...invoke, attributes: [{ attribute: clockTime }] } } },
  ],
  [
    "c401c1001107",
    {
      kind: "get-response",
      value: { kind: "normal", value: { ...invoke, result: { kind: "data", value: { type: "unsigned", value: 7 } } } },
    },
  ],
  [
    "c402c101000000010002aabb",
    {
      kind: "get-response",
      value: {
        kind: "with-datablock",
        value: {
          ...invoke,
          block: { lastBlock: true, blockNumber: 1, result: { kind: "raw-data", value: fromHex("aabb") } },
        },
      },
    },
  ],
  [
    "c403c10200000104",
    {
      kind: "get-response",
      value: {
        kind: "with-list",
        value: {
          ...invoke,
          results: [
            { kind: "data", value: { type: "null-data", value: null } },
            { kind: "data-access-result", value: "object-undefined" },
          ],
        },
      },
    },
  ],
  [
    "c101c100080000010000ff02001105",
    {
      kind: "set-request",
      value: { kind: "normal", value: { ...invoke, attribute: clockTime, value: { type: "unsigned", value: 5 } } },
    },
  ],
  [
    "c102c100080000010000ff0200000000000102aabb",
    {
      kind: "set-request",
      value: {
        kind: "with-first-datablock",
        value: {
          ...invoke,
          attribute: clockTime,
          block: { lastBlock: false, blockNumber: 1, rawData: fromHex("aabb") },
        },
      },
    },
  ],
  [
    "c105c10100080000010000ff0200010000000100",
    {
      kind: "set-request",
      value: {
        kind: "with-list-and-first-datablock",
        value: {
          ...invoke,
          attributes: [{ attribute: clockTime }],
          block: { lastBlock: true, blockNumber: 1, rawData: new Uint8Array(0) },
        },
      },
    },
  ],
  [
    "c503c10000000002",
    {
      kind: "set-response",
      value: { kind: "last-datablock", value: { ...invoke, result: "success", blockNumber: 2 } },
    },
  ],
  [
    "c505c10200fa",
    { kind: "set-response", value: { kind: "with-list", value: { ...invoke, results: ["success", "other-reason"] } } },
  ],
  [
    "c301c100460000600300ff01010f00",
    {
      kind: "action-request",
      value: {
        kind: "normal",
        value: {
          ...invoke,
          method: { classId: 70, instanceId: fromHex("0000600300ff"), methodId: 1 },
          parameters: { type: "integer", value: 0 },
        },
      },
    },
  ],
  [
    "c306c1010000000301aa",
    {
      kind: "action-request",
      value: {
        kind: "with-pblock",
        value: { ...invoke, block: { lastBlock: true, blockNumber: 3, rawData: fromHex("aa") } },
      },
    },
  ],
  [
    "c701c100010009012a",
    {
      kind: "action-response",
      value: {
        kind: "normal",
        value: {
          ...invoke,
          outcome: {
            result: "success",
            returned: { kind: "data", value: { type: "octet-string", value: fromHex("2a") } },
          },
        },
      },
    },
  ],
  [
    "c703c102000003010000",
    {
      kind: "action-response",
      value: {
        kind: "with-list",
        value: {
          ...invoke,
          outcomes: [
            { result: "success" },
            { result: "read-write-denied", returned: { kind: "data", value: { type: "null-data", value: null } } },
          ],
        },
      },
    },
  ],
  [
    "d8020600001389",
    {
      kind: "exception-response",
      value: { stateError: "service-unknown", serviceError: { kind: "invocation-counter-error", value: 5001 } },
    },
  ],
  [
    "d80101",
    {
      kind: "exception-response",
      value: { stateError: "service-not-allowed", serviceError: { kind: "operation-not-possible" } },
    },
  ],
  [
    "e08300010002 02aabb".replace(" ", ""),
    {
      kind: "general-block-transfer",
      value: {
        control: { lastBlock: true, streaming: false, window: 3 },
        blockNumber: 1,
        blockNumberAck: 2,
        blockData: fromHex("aabb"),
      },
    },
  ],
  [
    "0f4000002a000200",
    {
      kind: "data-notification",
      value: {
        invokeIdAndPriority: {
          invokeId: 42,
          selfDescriptive: false,
          breakOnError: false,
          confirmed: true,
          highPriority: false,
        },
        body: { type: "structure", value: [] },
      },
    },
  ],
  [
    "c806300123456741",
    {
      kind: "glo-get-request",
      value: {
        securityControl: { suite: 0, authenticated: true, encrypted: true, broadcast: false, compressed: false },
        invocationCounter: 0x01234567,
        text: fromHex("41"),
      },
    },
  ],
  [
    "db084d4d4d0000bc614e0621012345670a",
    {
      kind: "general-glo-ciphering",
      value: {
        systemTitle: fromHex("4d4d4d0000bc614e"),
        content: {
          securityControl: { suite: 1, authenticated: false, encrypted: true, broadcast: false, compressed: false },
          invocationCounter: 0x01234567,
          text: fromHex("0a"),
        },
      },
    },
  ],
];

test("each kind of APDU is read and written as its production says", () => {
  for (const [hex, value] of SAMPLES) {
    assert.deepEqual(decode(apdu, fromHex(hex)), value, hex);
    assert.equal(toHex(encode(apdu, value)), hex);
  }
});

test("an APDU that breaks off names the field", () => {
  assert.throws(() => decode(apdu, fromHex("c001c100080000010000")), {
    code: "truncated",
    path: "get-request.normal.attribute.instanceId",
    offset: 5,
  });
  assert.throws(() => decode(apdu, fromHex("c009")), { code: "unknown-tag", path: "get-request", offset: 1 });
  assert.throws(() => decode(apdu, fromHex("77")), { code: "unknown-tag", path: "" });
});

test("a date-time with a stray octet-string tag before it is read", () => {
  const value = decode(apdu, fromHex("0f00000001090c07e5090b06090d1400ff888000"));
  assert.equal(value.kind, "data-notification");
  assert.equal(value.value.dateTime?.year, 2021);
});
