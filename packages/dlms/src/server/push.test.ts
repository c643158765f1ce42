import assert from "node:assert/strict";
import { test } from "node:test";
import { equalBytes } from "../bytes.ts";
import { openPush, type PushKeys } from "../client/push.ts";
import { dateTimeAt } from "../data/date-time.ts";
import { type SoftwareKey, softwareCiphers, softwareKey } from "../security/software-aes.ts";
import { SERVER_TITLE, testKey, testKeys, testMeter, unsigned32 } from "../testing/meter.test.ts";
import { buildPush } from "./push.ts";

const notification = {
  invokeIdAndPriority: {
    invokeId: 1,
    selfDescriptive: false,
    breakOnError: false,
    confirmed: false,
    highPriority: false,
  },
  dateTime: dateTimeAt(Date.UTC(2026, 10, 21)),
  body: { type: "structure", value: [unsigned32(7)] },
} as const;

function keysOf(suite: 0 | 1 | 2): PushKeys<SoftwareKey> {
  const { globalUnicastEncryptionKey, globalBroadcastEncryptionKey, authenticationKey } = testKeys(suite);
  const keys = {
    encryption: softwareKey(globalUnicastEncryptionKey),
    broadcast: softwareKey(globalBroadcastEncryptionKey),
    authentication: authenticationKey,
  };
  return { ciphers: softwareCiphers, keysOf: (title) => (equalBytes(title, SERVER_TITLE) ? keys : undefined) };
}

test("a push opens with the meter's keys and says what was proven", () => {
  for (const suite of [0, 1, 2] as const)
    for (const [authenticated, encrypted] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const) {
      const { setup } = testMeter({ suite });
      const push = buildPush(notification, { ciphers: softwareCiphers, setup, authenticated, encrypted });
      const opened = openPush(push, keysOf(suite));
      assert.deepEqual(opened.notification, notification);
      assert.deepEqual(
        [opened.authenticated, opened.encrypted, opened.invocationCounter],
        [authenticated, encrypted, 0],
      );
      assert.deepEqual(opened.originator, SERVER_TITLE);
    }
});

test("a plain push proves nothing and names nobody", () => {
  const opened = openPush(buildPush(notification), keysOf(0));
  assert.deepEqual(opened.notification, notification);
  assert.deepEqual([opened.authenticated, opened.encrypted, opened.originator], [false, false, undefined]);
});

test("a push under the broadcast key is told by its security control", () => {
  const { setup } = testMeter();
  const protection = { ciphers: softwareCiphers, setup, authenticated: true, encrypted: true, broadcast: true };
  assert.equal(openPush(buildPush(notification, protection), keysOf(0)).authenticated, true);
});

test("a changed push, an unknown meter and another APDU are told apart", () => {
  const { setup } = testMeter();
  const push = buildPush(notification, { ciphers: softwareCiphers, setup, authenticated: true, encrypted: true });
  const changed = push.slice();
  changed[20] = (changed[20] as number) ^ 1;
  assert.throws(() => openPush(changed, keysOf(0)), { code: "authentication-failed" });
  const stranger = push.slice();
  stranger.set(testKey(1, 8), 2);
  assert.throws(() => openPush(stranger, keysOf(0)), { code: "key-missing" });
  assert.throws(() => openPush(Uint8Array.of(0xd8, 1, 1), keysOf(0)), { code: "wrong-type" });
  assert.throws(() => openPush(Uint8Array.of(0xcc, 1, 0x30), keysOf(0)), { code: "protection-mismatch" });
});
