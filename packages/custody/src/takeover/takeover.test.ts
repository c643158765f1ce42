import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { auditStored } from "@meterkeep/ledger";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import fc from "fast-check";
import { countersOfWindow } from "../ledger/skipped-counters.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import {
  carryTakeover,
  DEPOT,
  HEAD_END,
  heldKeys,
  type TestCustody,
  withTestCustody,
} from "../testing/test-custody.ts";
import { type MeterFault, TestMeter } from "../testing/test-meter.ts";

const TITLE = "5453540000000007";
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

/** Never stranded: what is on the meter is held, and the newest proven keys are what is on it. */
async function checkKeys(custody: TestCustody, meter: TestMeter): Promise<void> {
  const held = await heldKeys(custody, meter);
  for (const [purpose, key] of meter.keys.entries())
    assert.ok(held[purpose]?.includes(hex(key)), `key ${purpose} is on the meter and forgotten`);
  assert.equal(new Set(meter.everSent).size, meter.everSent.length, "a key value was transferred twice");
}

async function takenOver(custody: TestCustody, meter: TestMeter): Promise<void> {
  await checkKeys(custody, meter);
  const file = await custody.store.load(meter.systemTitle);
  const active = file?.keys.filter(({ state, purpose }) => state === "active" && purpose <= 3) ?? [];
  assert.deepEqual(
    active.map(({ purpose }) => purpose),
    [0, 1, 2, 3],
  );
  for (const record of active) {
    const held = await heldKeys(
      { ...custody, store: { ...custody.store, load: async () => ({ ...file!, keys: [record] }) } },
      meter,
    );
    assert.deepEqual(
      held[record.purpose],
      [hex(meter.keys[record.purpose] as Uint8Array)],
      `purpose ${record.purpose}`,
    );
    assert.equal(record.provenAt !== undefined, record.purpose !== 1, "all but the broadcast key are proven");
  }
  for (const [purpose, key] of meter.keys.entries())
    assert.notEqual(hex(key), hex(meter.factoryKeys[purpose] as Uint8Array));
}

test("a meter is taken over octet by octet, its ladder is the one of the contract, and the ledger has it all", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    const { state, contacts, steps } = await carryTakeover(custody, meter);
    assert.equal(state.verdict, "proven");
    assert.deepEqual([state.phase, state.grade, state.step], ["done", "exposed", "done"]);
    assert.equal(contacts, 4);
    assert.deepEqual(
      state.steps.map(({ step, outcome }) => `${step} ${outcome}`),
      [
        "factory-association passed",
        "identity-check passed",
        "transfer-working-keys passed",
        "working-keys-association passed",
        "transfer-master passed",
        "prove-master passed",
        "refuse-old-master passed",
        "raise-policy passed",
        "find-clients passed",
        "refuse-factory-keys passed",
        "done passed",
      ],
    );
    assert.equal(
      steps.length,
      13 + 8 + 8,
      "one question for each place where an association object may be, and where a setup may be",
    );
    await takenOver(custody, meter);
    const entries = await custody.store.ledger.read(0, 1000);
    assert.equal((await auditStored(custody.store.ledger)).fault, undefined);
    const kinds = entries.map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === "key-transfer-sealed").length, 4);
    assert.equal(kinds.filter((kind) => kind === "takeover-contact-opened").length, 3);
    assert.equal(kinds.filter((kind) => kind === "takeover-contact-closed").length, 3);
    const text = JSON.stringify(entries.map(({ body }) => body));
    for (const key of [...meter.keys, ...meter.factoryKeys])
      assert.ok(!text.includes(hex(key)), "a key is in the ledger");
  }));

test("meters of every profile are taken over, with arrays of keys and one by one", async () => {
  for (const profile of ["idis-p2", "dsmr-5", "is15959", "somebody-elses"])
    await withTestCustody(async (custody) => {
      const meter = new TestMeter({ systemTitle: TITLE });
      await custody.add(meter, { profile });
      assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven", profile);
      await takenOver(custody, meter);
    });
});

const secretMeter = (title: string, more: Partial<ConstructorParameters<typeof TestMeter>[0]> = {}) =>
  new TestMeter({ systemTitle: title, secrets: true, policy: 0x24, setupVersion: 0, ...more });
const IS15959 = { profile: "is15959" } as const;

test("a takeover replaces the secrets of clients and raises the policy, through the association objects, octet by octet", () =>
  withTestCustody(async (custody) => {
    const meter = secretMeter("5453540000000201");
    await custody.add(meter, IS15959);
    const { state, steps } = await carryTakeover(custody, meter);
    assert.equal(state.verdict, "proven");
    assert.doesNotMatch(state.sentence, /Unproven/);
    assert.ok(
      ["raise-policy", "change-secret", "prove-secret", "refuse-old-secret"].every((one) => steps.includes(one)),
    );
    assert.equal(meter.policyBits, 0x6c);
    for (const [client, secret] of Object.entries(meter.secrets))
      assert.notDeepEqual(secret, meter.factorySecrets[client], client);
    assert.match(Buffer.from(meter.secrets["optical"] as Uint8Array).toString("latin1"), /^[\w-]{16}$/);
    const file = await custody.store.load(meter.systemTitle);
    const states = file?.keys.filter(({ purpose }) => purpose > 3).map((key) => [key.setup, key.version, key.state]);
    assert.deepEqual(states, [
      [34, 1, "deactivated"],
      [34, 2, "active"],
      [48, 1, "deactivated"],
      [48, 2, "active"],
    ]);
    const kinds = (await custody.store.ledger.read(0, 1000)).map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === "secret-change-sealed").length, 2);
    assert.equal(kinds.filter((kind) => kind === "policy-raise-sealed").length, 1);
  }));

test("of a profile that names no clients, and of one that nobody knows, those are found that the meter has; each gets a secret of ours", async () => {
  const meters = [
    ["idis-p2", 1],
    ["metcom-mcs301", 0],
    ["dsmr-5", 0],
    ["somebody-elses", 0],
    ["somebody-elses", 1],
  ] as const;
  for (const [profile, setupVersion] of meters)
    await withTestCustody(async (custody) => {
      const meter = secretMeter("5453540000000205", {
        setupVersion,
        policy: profile === "somebody-elses" ? 0 : 0x6c,
      });
      await custody.add(meter, { profile });
      const { state, steps } = await carryTakeover(custody, meter);
      assert.equal(state.verdict, "proven", profile);
      assert.doesNotMatch(state.sentence, /Unproven/, `${profile}, security setup ${setupVersion}`);
      assert.ok(["find-clients", "prove-secret", "refuse-old-secret"].every((one) => steps.includes(one)));
      assert.equal(meter.policyBits, 0x6c, `${profile}, security setup ${setupVersion}`);
      for (const [client, secret] of Object.entries(meter.secrets))
        assert.notDeepEqual(secret, meter.factorySecrets[client], `${client} of ${profile}`);
      // A rotation of the unicast key gives them others.
      const before = meter.secrets;
      custody.now += 86_400_000;
      await custody.custody.service.planRotations(
        { meters: [], madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" },
        { name: "operator", role: "operator" },
      );
      const again = await carryTakeover(custody, meter);
      assert.equal(again.steps.includes("find-clients"), false, "it was asked once");
      for (const [client, secret] of Object.entries(meter.secrets)) assert.notDeepEqual(secret, before[client]);
    });
});

test("a meter that keeps the secrets it should change is taken over, and what it kept is said to be unproven", () =>
  withTestCustody(async (custody) => {
    const meter = secretMeter("5453540000000202", { character: "keeps-secrets" });
    await custody.add(meter, IS15959);
    const { state } = await carryTakeover(custody, meter);
    assert.equal(state.verdict, "proven");
    assert.match(state.sentence, /Unproven is the password of client 34: .*; the secret of client 48: /);
    assert.ok(state.steps.some(({ step, outcome }) => step === "prove-secret" && outcome === "refused"));
  }));

test("killed at any commit of secrets and policy, before or after, the custodian ends with what is on the meter", async () => {
  let commit = 0;
  for (let reached = true; reached; commit += 1)
    for (const when of ["before", "after"] as const)
      await withTestCustody(async (custody) => {
        const meter = secretMeter("5453540000000203");
        await custody.add(meter, IS15959);
        custody.crashAt(commit, when);
        const { state, crashes } = await carryTakeover(custody, meter);
        reached = crashes > 0;
        assert.equal(state.verdict, "proven", `commit ${commit} ${when}`);
        assert.doesNotMatch(state.sentence, /Unproven/, `commit ${commit} ${when}`);
        const held = await heldSecrets(custody, meter);
        for (const [client, secret] of Object.entries(meter.secrets))
          assert.ok(
            held.includes(Buffer.from(secret).toString("hex")),
            `secret of ${client}, commit ${commit} ${when}`,
          );
        assert.equal(new Set(meter.everSent).size, meter.everSent.length, "a value was sent twice");
      });
});

test("a meter that dies at any APDU of secrets and policy is given them in the end", async () => {
  const fault = ["dies-before", "dies-after", "says-nothing"] as const;
  for (let place = 8; place < 36; place += 1)
    await withTestCustody(async (custody) => {
      const meter = secretMeter("5453540000000204");
      await custody.add(meter, IS15959);
      const faults = [...Array<"none">(place).fill("none"), fault[place % 3] as (typeof fault)[number]];
      const { state } = await carryTakeover(custody, meter, { faults });
      assert.equal(state.verdict, "proven", `${place}`);
      assert.doesNotMatch(state.sentence, /Unproven/, `${place}`);
    });
});

async function heldSecrets(custody: TestCustody, meter: TestMeter): Promise<readonly string[]> {
  const file = await custody.store.load(meter.systemTitle);
  const records = (file?.keys ?? []).filter(({ purpose }) => purpose > 3);
  const keys = await custody.vault.unseal(
    records.map((record) => ({
      place: { ...record, systemTitle: fromHex(record.systemTitle) },
      sealed: record.sealed,
    })),
  );
  return keys.map((key) => key.lend((octets) => Buffer.from(octets).toString("hex")));
}

test("in the depot a takeover is shielded, with one contact over the head-end it is not", () =>
  withTestCustody(async (custody) => {
    const [shielded, mixed] = [
      new TestMeter({ systemTitle: TITLE }),
      new TestMeter({ systemTitle: "5453540000000008" }),
    ];
    await custody.add(shielded);
    await custody.add(mixed);
    assert.equal((await carryTakeover(custody, shielded, { by: DEPOT })).state.grade, "shielded");
    const lost: MeterFault[] = ["none", "none", "none", "none", "dies-after"];
    let carried = carryTakeover(custody, mixed, { by: HEAD_END, faults: lost }).catch(() => undefined);
    await carried;
    carried = carryTakeover(custody, mixed, { by: DEPOT });
    assert.equal((await carried)?.state.grade, "exposed");
  }));

test("shielded is only what the depot has seen to the end: the refusal of the factory keys is plain and can be forged", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    // The depot carries all but the last contact: what is cut off here goes on over the head-end.
    await assert.rejects(carryTakeover(custody, meter, { by: DEPOT, until: "refuse-factory-keys" }));
    const { state } = await carryTakeover(custody, meter, { by: HEAD_END });
    assert.deepEqual([state.verdict, state.grade], ["proven", "exposed"]);
    assert.match(state.sentence, /refused; but the refusal came over the network.* can forge one/);
    const other = new TestMeter({ systemTitle: "5453540000000008" });
    await custody.add(other);
    const { state: exposed } = await carryTakeover(custody, other);
    assert.match(exposed.sentence, /could have recorded the change.*, and the refusal came over the network/);
  }));

test("a challenge that is an APDU is not answered, and under factory keys it shows that the meter has them", () =>
  withTestCustody(async (custody) => {
    const disconnect = Buffer.from("c301c10046000060030aff0101120001", "hex");
    const meter = new TestMeter({ systemTitle: TITLE, character: "opens-with-both" });
    meter.challenges = { former: new Uint8Array(disconnect) };
    await custody.add(meter);
    assert.equal((await carryTakeover(custody, meter)).state.verdict, "keeps-factory-keys");
  }));

test("liars are caught: kept keys, kept master, both sets at once, an AARE under both, both masters at once, another meter", async () => {
  for (const [character, verdict] of [
    ["keeps-all-keys", "keeps-factory-keys"],
    ["keeps-master", "keeps-master-key"],
    ["opens-with-both", "keeps-factory-keys"],
    ["answers-to-both", "keeps-factory-keys"],
    ["takes-both-masters", "keeps-master-key"],
    ["is-another", "identity-differs"],
  ] as const)
    await withTestCustody(async (custody) => {
      const meter = new TestMeter({ systemTitle: TITLE, character });
      await custody.add(meter);
      const { state } = await carryTakeover(custody, meter);
      assert.deepEqual([state.verdict, state.grade], [verdict, "none"], character);
      await checkKeys(custody, meter);
    });
});

test("a meter whose counter is far ahead is asked for it by the public client, and taken over", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE, lowestCounter: 9000 });
    await custody.add(meter);
    const { state } = await carryTakeover(custody, meter);
    assert.equal(state.verdict, "proven");
    assert.ok(meter.lowestCounter > 9000);
  }));

/** Up to where counters of the meter are reserved. */
async function reservedOf({ store }: TestCustody): Promise<number> {
  const place = { utility: "stadtwerke", island: "mainland", systemTitle: TITLE, setup: 0 };
  return Math.max(0, ...(await store.counterLine(place)).counters.map(({ next }) => next));
}

test("a counter further ahead than is believed, or behind ours, changes none of ours, and the ledger has it", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    const reserved = () => reservedOf(custody);
    /** A refusal that names a counter. */
    const refused = async (named: number) => {
      const { service } = custody.custody;
      let next = await service.nextContact({ meter: systemTitle(fromHex(TITLE)) }, HEAD_END);
      while (next.kind === "wait") {
        custody.now += next.milliseconds;
        next = await service.nextContact({ meter: systemTitle(fromHex(TITLE)) }, HEAD_END);
      }
      assert.ok(next.kind === "connect");
      const apdu = fromHex(`d80106${named.toString(16).padStart(8, "0")}`);
      await service.advanceContact({ contact: next.contact, event: { kind: "received", apdu } }, HEAD_END);
    };
    await refused(2_000_000);
    const first = await reserved();
    await refused(7);
    assert.ok((await reserved()) <= first + 64, "neither has moved ours");
    const told = (await custody.store.ledger.read(0, 10_000)).filter(({ kind }) =>
      /^counter-(jump|behind)$/.test(kind),
    );
    assert.deepEqual(
      told.map(({ kind, body, meter: of }) => [kind, JSON.parse(body).said, of]),
      [
        ["counter-jump", 2_000_000, TITLE],
        ["counter-behind", 7, TITLE],
      ],
    );
    assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
  }));

test("forged hints cost a meter so many counters and no more, whatever succeeds between them and however often we restart", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    const reserved = () => reservedOf(custody);
    const title = systemTitle(fromHex(TITLE));
    let contacts = 0;
    /** The carrier forges a refusal that names a counter, then lets an association succeed and loses it, in turn. */
    const attack = async (rounds: number) => {
      const before = contacts;
      while (contacts < before + rounds) {
        const { service } = custody.custody;
        const next = await service.nextContact({ meter: title }, HEAD_END);
        assert.notEqual(next.kind, "nothing");
        if (next.kind === "wait") custody.now += next.milliseconds;
        if (next.kind !== "connect") continue;
        contacts += 1;
        const { contact } = next;
        const line = meter.connect(next.clientSap, next.serverSap);
        const say = (apdu: Uint8Array) =>
          service.advanceContact({ contact, event: { kind: "received", apdu } }, HEAD_END);
        if (contacts % 2 === 1) {
          const named = ((await reserved()) + 9000).toString(16).padStart(8, "0");
          await say(fromHex(`d80106${named}`));
          continue;
        }
        const proof = await say(line.exchange(next.apdu) as Uint8Array);
        assert.ok(proof.kind === "send");
        assert.equal((await say(line.exchange(proof.apdu) as Uint8Array)).kind, "send", "the association is made");
        await service.advanceContact({ contact, event: { kind: "lost", reason: "closed" } }, HEAD_END);
      }
    };
    await attack(20);
    await custody.restart();
    await attack(20);
    // What hints may cost, blocks of 64 for contacts, and what is left out after a crash.
    const first = await reserved();
    assert.ok(first > 9000 && first < 10_000 + 64 * 64 + countersOfWindow(), `${first}`);
    custody.now += 10 * 86_400_000;
    await attack(20);
    const later = await reserved();
    assert.ok(later - first > 9000 && later - first < 20_000 + 64 * 32, `${later - first} in ten days more`);
    assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
  }));

test("a meter that dies at any APDU, before or after it has acted, is taken over in the end", async () => {
  const exchanges = 12;
  for (const fault of ["dies-before", "dies-after", "dies-half-applied", "says-nothing"] as const)
    for (let at = 0; at < exchanges; at += 1)
      await withTestCustody(async (custody) => {
        const meter = new TestMeter({ systemTitle: TITLE });
        await custody.add(meter);
        const faults: MeterFault[] = [...Array.from({ length: at }, (): MeterFault => "none"), fault];
        const { state } = await carryTakeover(custody, meter, { faults });
        assert.equal(state.verdict, "proven", `${fault} at APDU ${at}`);
        await takenOver(custody, meter);
      });
});

test("a custodian that is killed at any commit, before or after it is written, strands no meter", async () => {
  for (const profile of ["idis-p2", "dsmr-5"])
    for (const when of ["before", "after"] as const)
      for (let at = 0, more = true; more; at += 1)
        await withTestCustody(async (custody) => {
          const meter = new TestMeter({ systemTitle: TITLE });
          await custody.add(meter, { profile });
          custody.crashAt(at, when);
          const { state, crashes } = await carryTakeover(custody, meter);
          // The last round is the one that needs fewer commits than that.
          more = crashes === 1;
          assert.equal(state.verdict, "proven", `${profile}, killed ${when} commit ${at}`);
          assert.ok(more || at >= 10, `only ${at} commits`);
          await takenOver(custody, meter);
        });
});

test("kills of the custodian and of the meter in any order strand no meter", async () => {
  const fault = fc.constantFrom<MeterFault>(
    "none",
    "none",
    "none",
    "dies-before",
    "dies-after",
    "dies-half-applied",
    "says-nothing",
  );
  const kill = fc.record({ at: fc.nat(6), when: fc.constantFrom("before" as const, "after" as const) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fault, { maxLength: 25 }),
      fc.array(kill, { maxLength: 4 }),
      fc.constantFrom("idis-p2", "dsmr-5"),
      (faults, kills, profile) =>
        withTestCustody(async (custody) => {
          const meter = new TestMeter({ systemTitle: TITLE });
          await custody.add(meter, { profile });
          const restart = custody.restart.bind(custody);
          const arm = () => {
            const next = kills.shift();
            custody.crashAt(next?.at, next?.when ?? "before");
          };
          const armed: TestCustody = Object.assign(custody, {
            restart: async () => {
              custody.crashAt(undefined, "before");
              await restart();
              arm();
            },
          });
          arm();
          const { state } = await carryTakeover(armed, meter, { faults });
          assert.equal(state.verdict, "proven");
          await takenOver(custody, meter);
        }),
    ),
    { numRuns: 60 },
  );
});

test("what a contact is asked by another principal, or after it is over, it does not know", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    const { service } = custody.custody;
    const title = Buffer.from(TITLE, "hex") as never;
    const next = await service.nextContact({ meter: title }, HEAD_END);
    assert.equal(next.kind, "connect");
    const contact = next.kind === "connect" ? next.contact : "";
    const event = { kind: "lost", reason: "closed" } as const;
    await assert.rejects(service.advanceContact({ contact, event }, DEPOT), { code: "contact-unknown" });
    assert.equal((await service.nextContact({ meter: title }, DEPOT)).kind, "wait");
    await service.advanceContact({ contact, event }, HEAD_END);
    await assert.rejects(service.advanceContact({ contact, event }, HEAD_END), { code: "contact-unknown" });
    await assert.rejects(service.nextContact({ meter: Buffer.alloc(8) as never }, HEAD_END), { code: "unknown-meter" });
  }));

test("an answer that is not authentic changes nothing, whatever it says", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    const { service } = custody.custody;
    const title = Buffer.from(TITLE, "hex") as never;
    const next = await service.nextContact({ meter: title }, HEAD_END);
    assert.ok(next.kind === "connect");
    const line = meter.connect(next.clientSap, next.serverSap);
    let apdu: Uint8Array = next.apdu;
    let last: Uint8Array = new Uint8Array(0);
    let step: string = next.step;
    while (step !== "transfer-working-keys") {
      last = line.exchange(apdu) as Uint8Array;
      const advanced = await service.advanceContact(
        { contact: next.contact, event: { kind: "received", apdu: last } },
        HEAD_END,
      );
      assert.ok(advanced.kind === "send");
      ({ apdu, step } = advanced);
    }
    // A former answer, played again in place of the acknowledgement.
    const replayed = await service.advanceContact(
      { contact: next.contact, event: { kind: "received", apdu: last } },
      HEAD_END,
    );
    assert.equal(replayed.kind, "close");
    const { state } = await carryTakeover(custody, meter);
    assert.equal(state.verdict, "proven");
    await takenOver(custody, meter);
  }));

test("in PostgreSQL a takeover is the same, and a crash at every third commit leaves it whole", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) =>
    withTestCustody(async (custody) => {
      for (let at = 0; at < 9; at += 1) {
        const meter = new TestMeter({ systemTitle: `54535400000001${at.toString(16).padStart(2, "0")}` });
        await custody.add(meter);
        custody.crashAt(at * 3, at % 2 === 0 ? "before" : "after");
        assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
        await takenOver(custody, meter);
      }
      for (let lost = 0; lost < 14; lost += 1) {
        const title = `54535400000002${lost.toString(16).padStart(2, "0")}`.toUpperCase();
        const meter = new TestMeter({ systemTitle: title });
        await custody.add(meter);
        const faults = [...Array.from({ length: lost }, () => "none" as const), "dies-after" as const];
        assert.equal((await carryTakeover(custody, meter, { faults })).state.verdict, "proven", `answer ${lost}`);
        await takenOver(custody, meter);
      }
      assert.equal((await auditStored(custody.store.ledger)).fault, undefined);
    }, postgresCustodyStore(pool)),
  ));
