import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { test } from "node:test";
import { AssociationLnV1, DataClass, remote, SecuritySetup, SessionError } from "@meterkeep/dlms";
import { nodeKeyWrap } from "@meterkeep/dlms-node";
import { type FactoryKeys, parseProductionLine, productionLine } from "./production.ts";
import { benchMeter, benchRecord, freshKeys } from "./testing/bench.ts";
import { openBenchSession, openPublicSession } from "./testing/bench-client.ts";

const SERVICE = { clientSap: 5, setup: 1 } as const;
const [FIRST, SECOND] = ["0.0.43.0.0.255", "0.0.43.0.1.255"] as const;

/** A meter whose service client has a security setup of its own. */
function serviceMeter(changes: Parameters<typeof benchMeter>[0] = {}) {
  const keys = freshKeys();
  const bench = benchMeter({ profile: "idis-p2-service", setups: [{ setup: 1, keys }], ...changes });
  return { bench, keys };
}

const wrapped = (keyId: keyof FactoryKeys, octets: Uint8Array, master: Uint8Array) => ({
  keyId,
  keyWrapped: nodeKeyWrap.wrap(createSecretKey(master), octets),
});

test("a client opens its own security setup alone, and tells which one that is", async () => {
  const { bench, keys } = serviceMeter();
  await assert.rejects(openBenchSession(bench, SERVICE), SessionError, "the first setup's keys are not the second's");
  await assert.rejects(openBenchSession(bench, { keys }), SessionError);
  const service = await openBenchSession(bench, { ...SERVICE, keys });
  const setup = remote(service, SecuritySetup, SECOND);
  assert.equal(await setup.get("securitySuite"), "suite0");
  const own = freshKeys();
  const refused = remote(service, SecuritySetup, FIRST).call("keyTransfer", [
    wrapped("globalUnicastEncryptionKey", own.globalUnicastEncryptionKey, bench.record.keys.keyEncryptionKey),
  ]);
  await assert.rejects(refused, SessionError, "it changes its own setup alone");
  const management = await openBenchSession(bench);
  const association = remote(management, AssociationLnV1, "0.0.40.0.5.255");
  assert.equal(await association.get("securitySetupReference"), SECOND);
  assert.deepEqual(await association.get("associatedPartnersId"), { clientSap: 5, serverSap: 1 });
});

test("keys and counters of one security setup are not those of another, over a power cut as well", async () => {
  const { bench, keys } = serviceMeter();
  const service = await openBenchSession(bench, { ...SERVICE, keys, firstCounter: 500 });
  const own = freshKeys();
  // Wrapped under the first setup's master it is refused, under its own taken.
  const transfer = (master: Uint8Array) =>
    remote(service, SecuritySetup, SECOND).call("keyTransfer", [
      wrapped("globalUnicastEncryptionKey", own.globalUnicastEncryptionKey, master),
      wrapped("authenticationKey", own.authenticationKey, master),
    ]);
  await assert.rejects(transfer(bench.record.keys.keyEncryptionKey), SessionError);
  await transfer(keys.keyEncryptionKey);
  assert.equal(bench.meter.security.lastReceived, 0, "the first setup's counter is where it was");
  const shown = async (setup: 0 | 1) =>
    (await remote(await openPublicSession(bench), DataClass, `0.0.43.1.${setup}.255`).get("value")) as unknown;
  assert.deepEqual(await shown(0), { type: "double-long-unsigned", value: 0 });
  const last = bench.meter.setups.get(1)?.lastReceived ?? 0;
  assert.ok(last >= 500);
  assert.deepEqual(await shown(1), { type: "double-long-unsigned", value: last });
  const cut = bench.restarted();
  assert.deepEqual([cut.meter.security.lastReceived, cut.meter.setups.get(1)?.lastReceived], [0, last]);
  await assert.rejects(openBenchSession(cut, { ...SERVICE, keys }), SessionError);
  await openBenchSession(cut, { ...SERVICE, keys: own });
  await openBenchSession(cut, {});
  const stored = cut.memory.meters()[0];
  assert.deepEqual(stored?.setups[0]?.keys, {
    ...keys,
    ...(({ globalUnicastEncryptionKey, authenticationKey }) => ({ globalUnicastEncryptionKey, authenticationKey }))(
      own,
    ),
  });
  assert.deepEqual(stored?.keys, bench.record.keys);
});

test("a depot meter goes to the field when it has acknowledged a new master in each of its security setups", () => {
  const { bench } = serviceMeter({ depot: true });
  const { security, setups } = bench.meter;
  const master = () => [{ purpose: "keyEncryptionKey", octets: new Uint8Array(randomBytes(16)) }] as const;
  assert.ok(security.keys.install(master()));
  bench.memory.commit();
  assert.equal(bench.meter.inField, false);
  const cut = bench.restarted();
  assert.equal(cut.meter.inField, false);
  assert.ok(cut.meter.setups.get(1)?.keys.install(master()));
  assert.equal(cut.meter.inField, true);
  assert.ok(setups.get(1)?.keys.install(master()));
  assert.equal(bench.meter.inField, true);
});

test("a production line says the keys of each security setup, and one with half a key is refused", () => {
  const record = benchRecord({ profile: "idis-p2-service", setups: [{ setup: 1, keys: freshKeys() }] });
  assert.deepEqual(parseProductionLine(productionLine(record), 1), record);
  const bad = (text: string) =>
    assert.throws(() => parseProductionLine(text, 1), { code: "meter-production-malformed" });
  const line = JSON.parse(productionLine(record)) as { setups: { setup: unknown; keys: Record<string, string> }[] };
  bad(JSON.stringify({ ...line, setups: 7 }));
  bad(JSON.stringify({ ...line, setups: [null] }));
  bad(JSON.stringify({ ...line, setups: [{ ...line.setups[0], setup: 0 }] }));
  bad(JSON.stringify({ ...line, setups: [{ setup: 1, keys: { ...line.setups[0]?.keys, authenticationKey: "00" } }] }));
});
