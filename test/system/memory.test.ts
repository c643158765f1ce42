import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { type CustodySecret, collectSecrets, SECRET_KINDS } from "../src/custody-keys.ts";
import { serverConfigOf } from "../src/installation-files.ts";
import { canReadMemory, type Finding, type NamedSecret, scanMemory } from "../src/memory-scan.ts";
import { makePush, type PushingMeter, pushTo } from "../src/pushing-meter.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";

const HOMES = 20;
const METERS = HOMES + 4;
const SETUP_KEYS: readonly unknown[] = ["GUEK", "GBEK", "GAK", "KEK"];

let meterkeep: Meterkeep;
let api: ApiClient;
let secrets: CustodySecret[];

before(async () => {
  meterkeep = await startMeterkeep({ meters: HOMES });
  api = await ownerClient(meterkeep);
  await until("all meters are taken over and read", async () => {
    const meters = await api.meters();
    const done = meters.filter(({ takeover, lastReadingAt }) => takeover === "proven" && lastReadingAt !== undefined);
    return done.length === METERS;
  });
});
after(() => meterkeep?.stop());

const pidOf = (name: string): number => meterkeep.pids()[name]!;
const words = (findings: readonly Finding[]): string[] => [
  ...new Set(findings.map(({ secret, form, mapping }) => `${secret}: ${form} in ${mapping}`)),
];
const found = (findings: readonly Finding[]): Set<string> => new Set(findings.map(({ secret }) => secret));

describe("a head-end that has taken over and read a town", () => {
  before(() => {
    assert.ok(
      canReadMemory(pidOf("custodian")),
      "reading another process's memory is not allowed here (kernel.yama.ptrace_scope is 2 or 3): run this test as root",
    );
  });

  test("the custodian holds the factory's keys and the new ones of every meter, and its own", async () => {
    secrets = await collectSecrets(meterkeep.stateDirectory);
    for (const kind of SECRET_KINDS)
      assert.ok(
        secrets.some((secret) => secret.kind === kind),
        kind,
      );
    const ofMeters = secrets.filter(({ kind }) => kind === "meter key");
    assert.equal(new Set(ofMeters.map(({ meter }) => meter)).size, METERS);
    // Four from the factory; at least four new ones, and the spare ones of the proofs.
    assert.ok(ofMeters.length >= METERS * 8, `${ofMeters.length} keys`);
    const ofSetups = ofMeters.filter(({ purpose }) => SETUP_KEYS.includes(purpose));
    assert.equal(ofSetups.filter(({ state }) => state === "active").length, METERS * 4);
    assert.equal(new Set(secrets.map(({ octets }) => Buffer.from(octets).toString("hex"))).size, secrets.length);
  });

  for (const name of ["server", "depot"]) {
    test(`none of them is in the memory of the ${name}, in no form`, () => {
      // A password travels in clear in the AARQ: who carries octets sees it, and its ledger entry says exposed.
      const hidden = secrets.filter(({ purpose }) => purpose !== "LLS");
      const { findings, octetsRead } = scanMemory(pidOf(name), hidden);
      assert.deepEqual(words(findings), []);
      assert.ok(octetsRead > 20_000_000, `${octetsRead} octets`);
    });
  }

  test("the same search finds in the custodian what it uses at any time: its vault's keys and its channel's", () => {
    const { findings } = scanMemory(pidOf("custodian"), secrets);
    const there = found(findings);
    const expected = secrets.filter(({ kind }) => kind === "vault key" || kind === "derived key");
    for (const { name } of expected) assert.ok(there.has(name), name);
    assert.ok([...there].some((name) => name.startsWith("channel key")));
    assert.ok([...there].some((name) => name.startsWith("recipient key")));
  });

  test("it finds meters' keys there too, while they are read", async () => {
    // Between two sessions there may be none.
    await until("a key of a meter is in use", () => {
      const there = found(scanMemory(pidOf("custodian"), secrets).findings);
      return secrets.some(({ kind, name }) => kind === "meter key" && there.has(name));
    });
  });

  test("the search of the server finds what the server does hold: its own database password", () => {
    const mine: NamedSecret = { name: "own password", octets: ownPassword() };
    assert.ok(scanMemory(pidOf("server"), [mine]).findings.length > 0);
  });
});

function ownPassword(): Uint8Array {
  const { database } = serverConfigOf(meterkeep.stateDirectory);
  return Buffer.from(decodeURIComponent(new URL(database).password));
}

describe("a real meter that is attached while the head-end runs", () => {
  test("its keys are sealed before they leave the command: the custodian has them, the head-end never", async () => {
    const meter: PushingMeter = {
      title: "5A5A5A0012345678",
      encryptionKey: randomBytes(16),
      authenticationKey: randomBytes(16),
    };
    const wanted = (["encryptionKey", "authenticationKey"] as const).map((name) => ({ name, octets: meter[name] }));
    const [key, authKey] = wanted.map(({ octets }) => Buffer.from(octets).toString("hex")) as [string, string];
    const keyFile = `${meterkeep.stateDirectory}/operator/meter-keys.json`;
    writeFileSync(keyFile, JSON.stringify({ key, authKey }), { mode: 0o600 });
    const options = ["--label", "Attached by a test", "--key-file", keyFile, "--json"];
    const { status, stdout, stderr } = await meterkeep.command(["meter", "add", meter.title, ...options]);
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stdout + stderr, new RegExp(`${key}|${authKey}`, "i"));

    // A push makes the custodian use the keys, and the head-end show what they protected.
    await pushTo(meterkeep.ports.push, makePush(meter, 1, { energyWh: 4_711_000 }));
    const shown = await until("its push is shown", async () =>
      (await api.meters()).find((one) => one.systemTitle === meter.title && one.energyWh === 4_711_000),
    );
    assert.equal(shown.kind, "real");
    assert.equal(shown.protection, "authenticated");

    for (const name of ["server", "depot"]) assert.deepEqual(words(scanMemory(pidOf(name), wanted).findings), []);
    const there = found(scanMemory(pidOf("custodian"), wanted).findings);
    assert.deepEqual(there, new Set(["encryptionKey", "authenticationKey"]));
    const held = (await collectSecrets(meterkeep.stateDirectory)).filter((secret) => secret.meter === meter.title);
    assert.deepEqual(new Set(held.map(({ octets }) => Buffer.from(octets).toString("hex"))), new Set([key, authKey]));
  });
});
