import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CustodianCallError, type PushResult } from "@meterkeep/api/custodian";
import { type Data, fromHex, systemTitle, toHex } from "@meterkeep/dlms";
import { Ledger, memoryLedgerStore } from "@meterkeep/ledger";
import { EventHub } from "../event/event-hub.ts";
import { MeterDirectory } from "../inventory/directory.ts";
import { ChannelTable } from "../reading/channels.ts";
import { dataNotification, pushedClock, pushedNumber, pushedText } from "../testing/data-notification.ts";
import { type HeadEndDatabase, openHeadEndDatabase, testMeter, testTitle } from "../testing/database.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { meterSummaries } from "../view/meter-summary.ts";
import { registerReadings } from "../view/readings.ts";
import { PushIntake } from "./intake.ts";
import { PushSources } from "./push-sources.ts";
import { PushStore } from "./push-store.ts";

const AT = Date.parse("2026-11-21T12:00:00Z");
const REAL = "4C475A0000000007";

let database: HeadEndDatabase;
before(async () => {
  database = await openHeadEndDatabase(2);
  await database.inventory.add(
    [testMeter(7, { systemTitle: REAL, kind: "real", profile: "push-only", label: "Mine" })],
    new Date(),
  );
});
after(() => database[Symbol.asyncDispose]());

/** What an `idis-p2` meter pushes, in clear: name, clock, import, export, power. */
const notification = (energyWh: number): Uint8Array =>
  pushOf([pushedNumber(energyWh), pushedNumber(3), pushedNumber(250)]);

/** An alarm: name, clock, the bits that are set. */
const alarmNotification = (bits: number): Uint8Array => pushOf([pushedNumber(bits)]);

const pushOf = (more: readonly Data[], at = AT): Uint8Array =>
  dataNotification([pushedText("MKV0000000001"), pushedClock(at), ...more]);

/** A protected APDU as far as an intake can see: general-glo-ciphering from `title`, then octets that say which. */
function protectedApdu(title: string, n: number): Uint8Array {
  return Uint8Array.of(0xdb, 8, ...fromHex(title), 5, 0x30, 0, 0, 0, n);
}

function bench(answer: (apdu: Uint8Array, n: number) => PushResult, write?: (store: PushStore) => PushStore["write"]) {
  const { pool, scope, inventory } = database;
  const hub = new EventHub({ run: "t", keptEvents: 500, keptLines: 500, now: () => new Date(AT) });
  const outcomes: string[] = [];
  const errors: unknown[] = [];
  const directory = new MeterDirectory(inventory);
  const sources = new PushSources(pool, scope, directory);
  const store = new PushStore(pool, scope, new ChannelTable(pool, scope), sources);
  const intake = new PushIntake({
    sleep: (ms, signal) => sleep(Math.min(ms, 1), undefined, { signal }).catch(() => undefined),
    onHeard: () => undefined,
    heard: { note: () => undefined },
    custodian: { openPush: async ({ items }) => items.map(({ apdu }) => answer(apdu, apdu.at(-1) ?? 0)) },
    directory,
    store: write === undefined ? store : { standings: (ids) => store.standings(ids), write: write(store) },
    sources,
    watch: { refused: async () => undefined, authenticated: async () => undefined },
    ledger: new Ledger(memoryLedgerStore()),
    scope,
    events: hub,
    clockOf: () => WALL_SOURCE_CLOCK,
    now: () => AT,
    onChange: () => undefined,
    onOutcome: (outcome) => outcomes.push(outcome),
    onError: (error) => errors.push(error),
  });
  return { intake, directory, hub, sources, outcomes, errors };
}

const opened = (title: string, apdu: Uint8Array, authenticated = true): PushResult => ({
  kind: "opened",
  meter: systemTitle(fromHex(title)),
  apdu,
  authenticated,
  encrypted: true,
  counter: 1,
});

test("a push becomes readings with the time its meter gave, and a replay of it changes nothing and is shown", async () => {
  const title = testTitle(0);
  let first = true;
  const { intake, directory, hub, sources, outcomes, errors } = bench(() => {
    if (!first) return { kind: "refused", code: "replayed", meter: systemTitle(fromHex(title)) };
    first = false;
    return opened(title, notification(12_345));
  });
  await directory.refresh();
  const push = { apdu: protectedApdu(title, 1), transport: "udp", address: "10.0.0.1" } as const;
  intake.take(push);
  await intake.settled();
  intake.take(push);
  await intake.settled();
  assert.deepEqual(errors, []);
  assert.deepEqual(outcomes, ["accepted", "replayed"]);
  const meter = await database.inventory.get(title);
  const { readings } = await registerReadings(database.pool, database.scope, meter, {
    from: undefined,
    to: undefined,
    trust: "all",
    limit: 50,
  });
  assert.deepEqual(
    readings
      .filter(({ unit }) => unit !== undefined)
      .map(({ obis, value, unit, time, source }) => [obis, value, unit, time, source]),
    [
      ["1-0:1.7.0", 250, "W", "2026-11-21T12:00:00.000Z", "push"],
      ["1-0:1.8.0", 12_345, "Wh", "2026-11-21T12:00:00.000Z", "push"],
      ["1-0:2.8.0", 3, "Wh", "2026-11-21T12:00:00.000Z", "push"],
    ],
  );
  const [source] = await sources.list();
  assert.deepEqual([source?.meter, source?.accepted, source?.refused, source?.lastRefusal], [title, 1, 1, "replayed"]);
  assert.deepEqual(
    hub.recent(9).map(({ severity, sentence }) => [severity, /refused: replayed/.test(sentence)]),
    [["warning", true]],
  );
});

test("a sender that nobody knows is shown as a stranger, stores nothing, and is forgotten when it is attached", async () => {
  const stranger = "5A5A5A0000000001";
  const { intake, directory, hub, sources, outcomes } = bench(() => ({
    kind: "refused",
    code: "unknown-meter",
    meter: undefined,
  }));
  await directory.refresh();
  for (let n = 0; n < 3; n += 1)
    intake.take({ apdu: protectedApdu(stranger, n), transport: "tcp", address: "10.0.0.9" });
  intake.take({ apdu: Uint8Array.of(1, 2, 3), transport: "tcp", address: "10.0.0.9" });
  await intake.settled();
  assert.deepEqual(outcomes, ["unknown-meter", "unknown-meter", "unknown-meter", "unknown-meter"]);
  assert.equal(sources.strangers, 2);
  assert.equal(hub.recent(9).length, 2);
  assert.match(hub.recent(9)[1]?.sentence ?? "", /5A5A5A0000000001 \(ZZZ\) that nobody has shipped or added/);
  await database.inventory.add([testMeter(90, { systemTitle: stranger, kind: "real" })], new Date());
  await directory.refresh();
  assert.equal(sources.strangers, 1);
  assert.deepEqual(
    (await sources.list()).filter((source) => source.stranger).map(({ systemTitle }) => systemTitle),
    [undefined],
  );
});

test("a stranger who comes in a storm of them is told of without a line at the next look, once", async () => {
  const { intake, directory, hub, sources } = bench(() => ({
    kind: "refused",
    code: "unknown-meter",
    meter: undefined,
  }));
  const told: unknown[] = [];
  hub.watch((event) => {
    if (event.type === "push") told.push(JSON.parse(event.data));
  });
  await directory.refresh();
  const before = sources.strangers;
  for (let n = 1; n <= 8; n += 1)
    intake.take({ apdu: protectedApdu(`5A5A5A000000010${n}`, n), transport: "tcp", address: "10.0.0.11" });
  await intake.settled();
  assert.deepEqual([sources.strangers - before, told.length], [8, 6], "five, and the storm that the sixth begins");
  const lines = hub.recent(99).length;
  intake.lookAtStorms();
  intake.lookAtStorms();
  assert.deepEqual(told.slice(6), [
    {
      at: new Date(AT).toISOString(),
      source: "push",
      accepted: false,
      code: "unknown-meter",
      sentence: "2 senders that nobody has shipped or added came in a storm.",
    },
  ]);
  assert.equal(hub.recent(99).length, lines);
});

test("a real meter is worth what protects its messages: confidential is held, a tag is provisional, and it is raised once", async () => {
  const { intake, directory, errors } = bench((_, n) => opened(REAL, notification(n), n > 1));
  await directory.refresh();
  const trust = async (): Promise<string | undefined> =>
    (await meterSummaries(database.pool, database.scope, () => WALL_SOURCE_CLOCK, AT, { title: REAL }))[0]?.trust;
  intake.take({ apdu: protectedApdu(REAL, 1), transport: "gateway", address: "10.0.0.2:1" });
  await intake.settled();
  assert.equal(await trust(), "held");
  intake.take({ apdu: protectedApdu(REAL, 2), transport: "gateway", address: "10.0.0.2:1" });
  await intake.settled();
  intake.take({ apdu: protectedApdu(REAL, 3), transport: "gateway", address: "10.0.0.2:1" });
  await intake.settled();
  assert.deepEqual(errors, []);
  assert.equal(await trust(), "provisional");
  const { rows } = await database.pool.query(
    "select state from trust_history h join meters m using (meter_id) where m.kind = 'real'",
  );
  assert.deepEqual(
    rows.map((row: { state: string }) => row.state),
    ["held", "provisional"],
  );
});

test("a real meter whose keys are published stays held and says so, whatever tags its messages carry", async () => {
  const title = "4C475A0000000008";
  const finding = "The GUEK is published in the examples of Meterkeep.";
  await database.inventory.add(
    [testMeter(8, { systemTitle: title, kind: "real", profile: "push-only", keyFindings: [finding] })],
    new Date(),
  );
  const { intake, directory, errors, outcomes } = bench((_, n) => opened(title, notification(n)));
  await directory.refresh();
  intake.take({ apdu: protectedApdu(title, 1), transport: "tcp", address: "10.0.0.6" });
  await intake.settled();
  assert.deepEqual([errors, outcomes], [[], ["accepted"]]);
  const [line] = await meterSummaries(database.pool, database.scope, () => WALL_SOURCE_CLOCK, AT, { title });
  assert.equal(line?.trust, "held");
  assert.match(line?.trustSentence ?? "", /published in the examples of Meterkeep\. Whoever knows that can speak/);
});

test("what opens and makes no sense is refused with the place, and one bad push spoils no other", async () => {
  const title = testTitle(1);
  const { intake, directory, outcomes } = bench((_, n) =>
    opened(title, n === 1 ? Uint8Array.of(0x0f, 1) : notification(7)),
  );
  await directory.refresh();
  for (const n of [1, 2]) intake.take({ apdu: protectedApdu(title, n), transport: "tcp", address: "10.0.0.3" });
  await intake.settled();
  assert.deepEqual(outcomes, ["push-refused", "accepted"]);
});

test("fifty thousand forged pushes are counted and told of in a few lines, and twenty true alarms among them stand one by one", async () => {
  const [victim, honest] = [testTitle(0), testTitle(1)];
  const fraud = alarmNotification(2 ** 13);
  const { intake, directory, hub, outcomes, errors } = bench((apdu) =>
    toHex(apdu.subarray(2, 10)).toUpperCase() === honest
      ? opened(honest, fraud)
      : { kind: "refused", code: "not-authentic", meter: systemTitle(fromHex(victim)) },
  );
  await directory.refresh();
  const since = hub.recent(500).length;
  for (let n = 0; n < 50_000; n += 1) {
    // Addresses cost nothing over UDP; half of them speak in names that are nobody's.
    const name = n % 2 === 0 ? victim : `4C475A00${(n + 0x1000_0000).toString(16).toUpperCase()}`;
    intake.take({ apdu: protectedApdu(name, n % 200), transport: "udp", address: `10.1.${n % 200}.${n % 31}` });
    if (n % 2_500 === 0) intake.take({ apdu: protectedApdu(honest, n / 2_500), transport: "udp", address: "10.0.0.9" });
    if (n % 5_000 === 0) await intake.settled();
  }
  await intake.settled();
  assert.deepEqual(errors, []);
  assert.equal(
    outcomes.filter((outcome) => outcome === "not-authentic").length +
      outcomes.filter((one) => one === "dropped").length,
    50_000,
  );
  const told = hub
    .recent(500)
    .slice(0, 500 - since)
    .map(({ sentence }) => sentence);
  assert.equal(told.filter((sentence) => /fraud/.test(sentence)).length, 20, "each of them");
  assert.ok(told.length < 100, `${told.length} lines`);
  assert.ok(told.some((sentence) => /refused, many of them/.test(sentence)));
});

test("one sender cannot crowd out the others", async () => {
  const { intake, directory, outcomes } = bench(() => ({ kind: "refused", code: "unknown-meter", meter: undefined }));
  await directory.refresh();
  for (let n = 0; n < 6_000; n += 1) intake.take({ apdu: Uint8Array.of(1), transport: "tcp", address: "10.9.9.9" });
  intake.take({ apdu: Uint8Array.of(2), transport: "tcp", address: "10.0.0.4" });
  await intake.settled();
  assert.equal(outcomes.filter((outcome) => outcome === "dropped").length, 1_000);
  assert.equal(outcomes.filter((outcome) => outcome === "unknown-meter").length, 5_001);
});

test("what is pushed while the custodian is away is opened when it is back", async () => {
  const title = testTitle(1);
  let away = 3;
  const { intake, directory, outcomes, errors } = bench(() => {
    away -= 1;
    if (away >= 0) throw new CustodianCallError("custodian-unreachable", "away");
    return opened(title, notification(8));
  });
  await directory.refresh();
  intake.take({ apdu: protectedApdu(title, 9), transport: "tcp", address: "10.0.0.5" });
  await intake.settled();
  assert.deepEqual(outcomes, ["accepted"]);
  assert.equal(errors.length, 1, "it is told once");
});

test("what was opened has used up its counter: it is held until the database takes it, and told only then", async () => {
  const title = testTitle(1);
  let [away, asked] = [3, 0];
  const lines: number[] = [];
  const { intake, directory, hub, outcomes } = bench(
    () => {
      asked += 1;
      return opened(title, notification(21));
    },
    (store) =>
      async (...batch) => {
        lines.push(hub.recent(9).length);
        away -= 1;
        if (away >= 0) throw Object.assign(new Error("the server is shutting down"), { code: "57P01" });
        return store.write(...batch);
      },
  );
  await directory.refresh();
  intake.take({ apdu: protectedApdu(title, 21), transport: "tcp", address: "10.0.0.5" });
  await intake.settled();
  assert.deepEqual([asked, outcomes], [1, ["accepted"]]);
  assert.deepEqual(lines, [0, 0, 0, 0]);
});

test("what the database refuses costs itself alone, and what waits at the end is given up where nobody takes it", async () => {
  const title = testTitle(1);
  const { intake, directory, outcomes } = bench(
    (_, n) => opened(title, notification(n)),
    (store) =>
      async (pushes, ...more) => {
        if (pushes.length > 1 || pushes[0]?.receivedAt === undefined)
          throw Object.assign(new Error("x"), { code: "23505" });
        return store.write(pushes, ...more);
      },
  );
  await directory.refresh();
  for (const n of [31, 32]) intake.take({ apdu: protectedApdu(title, n), transport: "tcp", address: "10.0.0.6" });
  await intake.settled();
  assert.deepEqual(outcomes, ["accepted", "accepted"]);
  const lost = bench(() => {
    throw new CustodianCallError("custodian-unreachable", "away");
  });
  lost.intake.take({ apdu: protectedApdu(title, 33), transport: "tcp", address: "10.0.0.6" });
  await lost.intake.close();
  assert.deepEqual(lost.outcomes, ["custodian-unreachable"]);
});

test("a flood in a meter's address, or in its name, does not silence it; what proves itself counts for no limit", async () => {
  const [title, neighbour] = [testTitle(1), testTitle(0)];
  const { intake, directory, outcomes } = bench((apdu, n) => {
    const isTrue = apdu[0] === 0xdb && n >= 200;
    return isTrue ? opened(title, notification(n)) : { kind: "refused", code: "not-authentic", meter: undefined };
  });
  await directory.refresh();
  const from = { transport: "udp", address: "10.0.0.9" } as const;
  for (let n = 0; n < 6_000; n += 1) intake.take({ apdu: Uint8Array.of(1), ...from });
  for (let n = 0; n < 40; n += 1) intake.take({ apdu: protectedApdu(neighbour, 1), ...from });
  intake.take({ apdu: protectedApdu(title, 200), ...from });
  await intake.settled();
  assert.equal(outcomes.filter((outcome) => outcome === "accepted").length, 1);
  assert.equal(outcomes.filter((outcome) => outcome === "dropped").length, 1_000 + 20);
});

test("P-8: what a push dates by a clock that is ahead, or that the last session found off, is disputed once an interval; what comes late, or proves nothing, disputes nothing", async () => {
  const { pool, scope, inventory } = database;
  let used = 40;
  const took = async (seconds: number, foundOffSeconds: number | null, authenticated = true) => {
    used += 1;
    const title = testTitle(used);
    await inventory.add([testMeter(used)], new Date());
    const meter = await inventory.get(title);
    await pool.query("update meter_latest set clock_offset_seconds = $2 where meter_id = $1", [
      meter.id,
      foundOffSeconds,
    ]);
    let value = 0;
    const { intake, directory, errors } = bench(() => {
      value += 1;
      return opened(
        title,
        pushOf([pushedNumber(value), pushedNumber(3), pushedNumber(250)], AT + seconds * 1000),
        authenticated,
      );
    });
    await directory.refresh();
    for (let n = 0; n < 2; n += 1) {
      intake.take({ apdu: protectedApdu(title, 20 + n), transport: "udp", address: "10.0.0.7" });
      await intake.settled();
    }
    assert.deepEqual(errors, []);
    const { rows } = await pool.query(
      "select rule, from_at, to_at, confidence::float8, data from plausibility_findings where meter_id = $1",
      [meter.id],
    );
    const { readings } = await registerReadings(pool, scope, meter, {
      ...{ from: undefined, to: undefined, trust: "all", limit: 50 },
    });
    const own = readings.filter(({ unit }) => unit !== undefined);
    assert.ok(own.length >= 3);
    return { rows, standings: new Set(own.map(({ standing }) => standing)) };
  };
  const finding = (from: string, to: string, offsetSeconds: number, confidence: number) => ({
    ...{ rule: "P-8", from_at: new Date(from), to_at: new Date(to), data: { offsetSeconds } },
    confidence: Math.fround(confidence),
  });
  assert.deepEqual(await took(200, null), {
    rows: [finding("2026-11-21T12:00:00Z", "2026-11-21T12:15:00Z", 200, 0.3)],
    standings: new Set(["disputed"]),
  });
  assert.deepEqual((await took(3_600, null)).rows, [finding("2026-11-21T12:45:00Z", "2026-11-21T13:00:00Z", 3_600, 1)]);
  assert.deepEqual((await took(-300, -300)).rows, [finding("2026-11-21T11:45:00Z", "2026-11-21T12:00:00Z", -300, 0.3)]);
  const nothing = { rows: [], standings: new Set(["undisputed"]) };
  assert.deepEqual(await took(59, 59), nothing);
  assert.deepEqual(await took(-3_600, null), nothing, "it may have waited anywhere");
  assert.deepEqual(await took(200, 200, false), nothing, "anybody could have sent it");
});

test("P-8: each interval of pushes that come together is told of", async () => {
  const { pool, inventory } = database;
  const title = testTitle(60);
  await inventory.add([testMeter(60)], new Date());
  const meter = await inventory.get(title);
  const { intake, directory, errors } = bench((_, n) =>
    opened(title, pushOf([pushedNumber(n), pushedNumber(3), pushedNumber(250)], AT + n * 900_000)),
  );
  await directory.refresh();
  for (const n of [1, 2]) intake.take({ apdu: protectedApdu(title, n), transport: "udp", address: "10.0.0.8" });
  await intake.settled();
  assert.deepEqual(errors, []);
  const { rows } = await pool.query(
    "select to_at from plausibility_findings where meter_id = $1 and rule = 'P-8' order by to_at",
    [meter.id],
  );
  assert.deepEqual(rows, [{ to_at: new Date(AT + 900_000) }, { to_at: new Date(AT + 1_800_000) }]);
});
