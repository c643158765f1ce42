import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../bytes.ts";
import { Register } from "../cosem/classes/register.ts";
import { SecuritySetup } from "../cosem/classes/security-setup.ts";
import {
  CLIENTS,
  ENERGY,
  exchangeWith,
  managementConfig,
  openTestSession,
  SETUP,
  testKey,
  testKeys,
  testKeyWrap,
  testMeter,
  unsigned32,
} from "../testing/meter.test.ts";
import { frameCountersFrom } from "./protection.ts";
import { remote } from "./remote.ts";
import { SessionError } from "./session-error.ts";

const { wrapOctets } = testKeyWrap;

test("new keys open the next association, the old ones nothing, and the change itself ends in peace", async () => {
  for (const suite of [0, 2] as const) {
    const before = testKeys(suite);
    const after = testKeys(suite, 0x13);
    const meter = testMeter({ suite, keys: before, policy: { authenticatedRequest: true, encryptedRequest: true } });
    const session = await openTestSession(meter, CLIENTS.management, managementConfig({ suite, keys: before }));
    await remote(session, SecuritySetup, SETUP).call(
      "keyTransfer",
      (["globalUnicastEncryptionKey", "authenticationKey", "keyEncryptionKey"] as const).map((keyId) => ({
        keyId,
        keyWrapped: wrapOctets(before.keyEncryptionKey, after[keyId]),
      })),
    );
    assert.deepEqual(await remote(session, Register, ENERGY).get("value"), unsigned32(1234));
    await session.release();
    const options = { frameCounters: frameCountersFrom(1000) };
    await assert.rejects(
      openTestSession(meter, CLIENTS.management, managementConfig({ suite, keys: before }), options),
      {
        code: "exception-response",
        reason: "service-not-allowed/deciphering-error",
      },
    );
    const anew = await openTestSession(meter, CLIENTS.management, managementConfig({ suite, keys: after }), options);
    const setup = remote(anew, SecuritySetup, SETUP);
    const wrapped = {
      keyId: "globalBroadcastEncryptionKey",
      keyWrapped: wrapOctets(before.keyEncryptionKey, testKey(1, 16)),
    } as const;
    await assert.rejects(setup.call("keyTransfer", [wrapped]), { code: "action-refused", reason: "other-reason" });
    await anew.release();
  }
});

test("where new keys take effect at once, the old association cannot even be released", async () => {
  const meter = testMeter({ keyChange: "at-once", policy: { authenticatedRequest: true } });
  const session = await openTestSession(meter, CLIENTS.management, managementConfig());
  const keyWrapped = wrapOctets(testKeys(0).keyEncryptionKey, testKey(0x77, 16));
  await remote(session, SecuritySetup, SETUP).call("keyTransfer", [{ keyId: "authenticationKey", keyWrapped }]);
  await assert.rejects(session.release(), { code: "exception-response" });
});

test("replayed and lowered counters are refused with the counter expected", async () => {
  const meter = testMeter({ policy: { authenticatedRequest: true, encryptedRequest: true } });
  const sent: Uint8Array[] = [];
  const exchange = exchangeWith(meter, CLIENTS.management);
  const session = await openTestSession(meter, CLIENTS.management, managementConfig(), {
    exchange: (apdu, signal) => {
      sent.push(apdu);
      return exchange(apdu, signal);
    },
  });
  await remote(session, Register, ENERGY).get("value");
  const replay = await exchange(sent.at(-1) as Uint8Array, neverAborted());
  assert.deepEqual(replay, fromHex("d80106" + "00000005"));
  await assert.rejects(openTestSession(meter, CLIENTS.management, managementConfig()), (error) => {
    assert.ok(error instanceof SessionError);
    assert.equal(error.code, "invocation-counter-error");
    assert.equal(error.expectedInvocationCounter, 5);
    return true;
  });
});

function neverAborted() {
  return { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };
}

test("a response that is replayed is refused by the client", async () => {
  const meter = testMeter({ policy: { authenticatedResponse: true, encryptedResponse: true } });
  const exchange = exchangeWith(meter, CLIENTS.management);
  let kept: Uint8Array | undefined;
  const session = await openTestSession(meter, CLIENTS.management, managementConfig(), {
    exchange: async (apdu, signal) => {
      const response = await exchange(apdu, signal);
      if (response[0] !== 0xcc) return response;
      kept ??= response;
      return kept;
    },
  });
  const energy = remote(session, Register, ENERGY);
  await energy.get("value");
  await assert.rejects(energy.get("value"), { code: "counter-replayed" });
});

test("a plain or weaker response in a protected association is refused, whatever it says", async () => {
  const meter = testMeter();
  const exchange = exchangeWith(meter, CLIENTS.management);
  const session = await openTestSession(meter, CLIENTS.management, managementConfig(), {
    exchange: async (apdu, signal) => (apdu[0] === 0xc8 ? fromHex("c401c100060000ffff") : exchange(apdu, signal)),
  });
  await assert.rejects(remote(session, Register, ENERGY).get("value"), { code: "response-unprotected" });
});

test("a policy is strengthened by security_activate and never weakened", async () => {
  const meter = testMeter();
  const session = await openTestSession(meter, CLIENTS.management, managementConfig());
  const setup = remote(session, SecuritySetup, SETUP);
  assert.deepEqual(await setup.get("securityPolicy"), []);
  await setup.call("securityActivate", 0x6c);
  assert.deepEqual(await setup.get("securityPolicy"), [
    "authenticatedRequest",
    "encryptedRequest",
    "authenticatedResponse",
    "encryptedResponse",
  ]);
  await assert.rejects(setup.call("securityActivate", 0x24), { code: "action-refused" });
  assert.equal(await setup.get("securitySuite"), "suite0");
});
