import assert from "node:assert/strict";
import { test } from "node:test";
import { inTransaction } from "@meterkeep/postgres";
import { parquetReadObjects } from "hyparquet";
import { rows } from "../database/sql.ts";
import { writeFindings } from "../plausibility/write-findings.ts";
import type { ArrivedInterval } from "../reading/arrived-interval.ts";
import { ChannelTable } from "../reading/channels.ts";
import { dayRow } from "../reading/day/day-row.ts";
import { ensureMonths, insertDays } from "../reading/day/day-store.ts";
import { packDays } from "../reading/day/pack-days.ts";
import type { QualifiedInterval } from "../reading/held-intervals.ts";
import { type EvidenceRecord, NOTHING_READ, type ReadResult, type RegisterRecord } from "../reading/result.ts";
import { writeReadings } from "../reading/write.ts";
import { writeIntervals } from "../reading/write-intervals.ts";
import { evidenceHash } from "../session/ladder.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../testing/database.ts";
import { registerReadings } from "../view/readings.ts";
import { asCim, readingType } from "./cim.ts";
import { EVENTS } from "./events.ts";
import { exportAs, exportAsTable } from "./export.ts";
import type { ExportedMeter } from "./export-kind.ts";
import { type ExportWindow, exportedMeters } from "./exported-meter.ts";
import { INTERVALS } from "./intervals.ts";
import { asParquet } from "./parquet.ts";
import { type ExportableRegister, REGISTERS } from "./registers.ts";

const START = Date.parse("2026-11-20T00:00:00Z");
const QUARTER = 900_000;
const WINDOW = { from: START, to: START + 86_400_000, trust: "trusted" } as const;

/** Two trusted meters: one with a day of two channels that is closed, one with two single values. */
async function fill({ pool, scope, meters }: HeadEndDatabase): Promise<void> {
  const channels = new ChannelTable(pool, scope);
  await channels.prepare([
    { obis: "1-0:1.8.0", unit: "Wh" },
    { obis: "1-0:32.7.0", unit: "V" },
  ]);
  const value = (meter: number, obis: string, unit: string, slot: number, number: number): ArrivedInterval => ({
    meter: meters[meter]!.id,
    channel: channels.number(obis, unit),
    at: START + slot * QUARTER,
    value: number,
    status: slot === 1 ? undefined : 2 ** 31,
    evidence: 1,
    protection: slot === 3 ? "none" : "authenticated",
    trustAtCapture: "trusted",
    periodSeconds: 900,
  });
  const day = Array.from({ length: 20 }, (_, n) => [
    value(0, "1-0:1.8.0", "Wh", n + 1, 1000 + n),
    value(0, "1-0:32.7.0", "V", n + 1, 230.1),
  ]).flat();
  await inTransaction(pool, (sql) => writeIntervals(sql, scope, day));
  await packDays({ pool, scope, sourceNow: () => START + 2 * 86_400_000 });
  const singles = [value(1, "1-0:1.8.0", "Wh", 4, 7), value(1, "1-0:1.8.0", "Wh", 200, 8)];
  await inTransaction(pool, (sql) => writeIntervals(sql, scope, singles));
  await rows(pool, "update trust set state = 'trusted'");
}

async function textOf(parts: AsyncIterable<string | Uint8Array>): Promise<string> {
  let text = "";
  for await (const part of parts) text += String(part);
  return text;
}

async function rowsOf(parts: AsyncIterable<string | Uint8Array>): Promise<Record<string, unknown>[]> {
  const file = Buffer.concat((await allOf(parts)).map((part) => Buffer.from(part as Uint8Array)));
  return parquetReadObjects({ file: file.buffer.slice(file.byteOffset, file.byteOffset + file.length) });
}

async function allOf<T>(parts: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

test("an export has what decisions may use, of packed days and single values, and the rest where it is asked for", async () => {
  await using database = await openHeadEndDatabase(3);
  await fill(database);
  const { pool, scope } = database;
  const trusted = await textOf(exportAs("csv", INTERVALS, pool, scope, WINDOW));
  const all = await textOf(exportAs("csv", INTERVALS, pool, scope, { ...WINDOW, trust: "all" }));
  const lines = trusted.trimEnd().split("\r\n");
  assert.equal(lines.length, 1 + 2 * 19 + 1);
  assert.equal(all.trimEnd().split("\r\n").length, 1 + 2 * 20 + 1);
  assert.equal(
    lines[1],
    "4D4B560000000000,1-0:1.8.0,Wh,2026-11-20T00:15:00.000Z,1000,,actual,authenticated,trusted,trusted,true",
  );
  assert.match(lines.at(-1) ?? "", /^4D4B560000000001,1-0:1.8.0,Wh,2026-11-20T01:00:00.000Z,7,2147483648,actual/);
});

test("the Parquet file holds the same rows as the CSV, typed, however many groups it has", async () => {
  await using database = await openHeadEndDatabase(2);
  await fill(database);
  const found = await rowsOf(exportAs("parquet", INTERVALS, database.pool, database.scope, WINDOW));
  assert.equal(found.length, 39);
  assert.deepEqual(found[1], {
    meter: "4D4B560000000000",
    obis: "1-0:1.8.0",
    unit: "Wh",
    time: new Date(START + 2 * QUARTER),
    value: 1001,
    status: 2n ** 31n,
    quality: "actual",
    protection: "authenticated",
    trust_at_capture: "trusted",
    trust_now: "trusted",
    decisive: true,
  });
  assert.equal(found[0]?.["status"], null);

  async function* many(): AsyncGenerator<ExportedMeter<QualifiedInterval>> {
    for await (const meter of exportedMeters(INTERVALS, database.pool, database.scope, WINDOW))
      for (let n = 0; n < 3_000; n += 1) yield { ...meter, systemTitle: n.toString(16) };
  }
  const large: Uint8Array[] = [];
  for await (const part of asParquet(INTERVALS, many())) large.push(part);
  const octets = Buffer.concat(large);
  const all = await parquetReadObjects({
    file: octets.buffer.slice(octets.byteOffset, octets.byteOffset + octets.length),
    columns: ["meter", "value"],
  });
  assert.equal(all.length, 39 * 3_000);
  assert.ok(large.length > 2, "a group is handed over before the next one is read");
});

test("an export is of one moment: what arrives or is packed while it is taken is in none of it", async () => {
  await using database = await openHeadEndDatabase(130);
  const { pool, scope, meters } = database;
  const channels = new ChannelTable(pool, scope);
  await channels.prepare([{ obis: "1-0:1.8.0", unit: "Wh" }]);
  const value = ({ id }: { readonly id: ArrivedInterval["meter"] }, slot: number): ArrivedInterval => ({
    meter: id,
    channel: channels.number("1-0:1.8.0", "Wh"),
    at: START + slot * QUARTER,
    value: slot,
    status: 0,
    evidence: 1,
    protection: "authenticated",
    trustAtCapture: "trusted",
    periodSeconds: 900,
  });
  const arrive = (slots: readonly number[]): Promise<unknown> =>
    inTransaction(pool, (sql) =>
      writeIntervals(
        sql,
        scope,
        meters.flatMap((meter) => slots.map((slot) => value(meter, slot))),
      ),
    );
  await rows(pool, "update trust set state = 'trusted'");
  await arrive([1, 2, 3]);
  const counts: number[] = [];
  for await (const { channels: held } of exportedMeters(INTERVALS, pool, scope, WINDOW)) {
    // The first page is out: the others are asked for when everything is another.
    if (counts.length === 0) {
      await arrive([4, 5]);
      await packDays({ pool, scope, sourceNow: () => START + 2 * 86_400_000 });
    }
    counts.push(held[0]?.values.length ?? 0);
  }
  assert.deepEqual([...new Set(counts)], [3]);
  assert.equal(counts.length, 130);
  const next = await allOf(exportedMeters(INTERVALS, pool, scope, WINDOW));
  assert.deepEqual([...new Set(next.map(({ channels: held }) => held[0]?.values.length))], [5]);
});

test("an export that is broken off gives its connection back, and the next one its own moment", async () => {
  await using database = await openHeadEndDatabase(3);
  await fill(database);
  const { pool, scope } = database;
  // More than there are connections.
  for (let n = 0; n < 12; n += 1) for await (const _ of exportedMeters(INTERVALS, pool, scope, WINDOW)) break;
  const { rows: open } = await pool.query("select 1 from pg_stat_activity where state like 'idle in transaction%'");
  assert.deepEqual(open, []);
  assert.equal((await allOf(exportedMeters(INTERVALS, pool, scope, WINDOW))).length, 2);
});

test("a year of one meter comes a month at a time, and no more days stand in memory than of a fleet's day", async () => {
  await using database = await openHeadEndDatabase(3);
  const { pool, scope, meters } = database;
  const channels = new ChannelTable(pool, scope);
  await channels.prepare([{ obis: "1-0:1.8.0", unit: "Wh" }]);
  const channel = channels.number("1-0:1.8.0", "Wh");
  const of = { status: 0, evidence: 1, protection: "authenticated", trustAtCapture: "trusted" } as const;
  const DAYS = 365;
  const days = Array.from({ length: DAYS }, (_, n) => START - (DAYS - n) * 86_400_000);
  await ensureMonths(pool, days);
  for (const meter of meters)
    await inTransaction(pool, (sql) =>
      insertDays(
        sql,
        scope,
        days.map((day, n) => {
          const intervals = Array.from({ length: 96 }, (_, slot) => ({
            channel,
            at: day + (slot + 1) * QUARTER,
            value: 96 * n + slot,
            ...of,
          }));
          return { meter: meter.id, ...dayRow(day, 900, intervals, "closed") };
        }),
      ),
    );
  await rows(pool, "update trust set state = 'trusted'");
  let most = 0;
  const counting = {
    connect: async () => {
      const client = await pool.connect();
      const query = async (text: string, values?: unknown[]) => {
        const answer = await client.query(text, values);
        if (text.includes("packed")) most = Math.max(most, answer.rows.length);
        return answer;
      };
      return { query, release: (broken?: boolean) => client.release(broken) };
    },
  } as unknown as typeof pool;
  const year = { from: START - DAYS * 86_400_000 + 1, to: START, trust: "trusted" } as const;
  const one: number[] = [];
  const meter = meters[1]?.id as ArrivedInterval["meter"];
  for await (const { channels: held } of exportedMeters(INTERVALS, counting, scope, { ...year, meter }))
    for (const { values } of held) for (const { value } of values) one.push(value);
  assert.deepEqual(
    one,
    Array.from({ length: DAYS * 96 }, (_, n) => n),
  );
  let all = 0;
  for await (const { channels: held } of exportedMeters(INTERVALS, counting, scope, year))
    all += held[0]?.values.length ?? 0;
  assert.equal(all, 3 * DAYS * 96);
  assert.ok(most > 20 && most <= 32, `${most} days at a time`);
});

/**
 * Children of each element of a MeterReadings document, in their order, as far as it has them: `?` may be absent, `*` may
 * come any number of times (IEC 61968-9, profile MeterReadings, http://iec.ch/TC57/2011/MeterReadings#).
 */
const SHAPE: Readonly<Record<string, readonly string[]>> = {
  MeterReadings: ["MeterReading*", "Reading*", "ReadingType*"],
  MeterReading: ["isCoincidentTrigger?", "EndDeviceEvents*", "IntervalBlocks*", "Meter?", "Readings*", "UsagePoint?"],
  IntervalBlocks: ["IntervalReadings*", "PendingCalculation?", "ReadingType"],
  IntervalReadings: ["reportedDateTime?", "source?", "timeStamp?", "value?", "ReadingQualities*", "timePeriod?"],
  Readings: [
    ...["reason?", "reportedDateTime?", "source?", "timeStamp?", "value?", "ReadingQualities*", "ReadingType"],
    "timePeriod?",
  ],
  ReadingQualities: ["comment?", "source?", "timeStamp?", "ReadingQualityType"],
  Meter: ["mRID?", "Names*", "status?"],
  Names: ["name", "NameType?"],
  NameType: ["description?", "name", "NameTypeAuthority"],
  NameTypeAuthority: ["description?", "name"],
};

/** What an XML document holds, by the names of elements. */
interface Element {
  readonly name: string;
  readonly children: Element[];
}

function elementsOf(xml: string): Element {
  const root: Element = { name: "", children: [] };
  const open = [root];
  for (const [, close, name = "", empty] of xml.matchAll(/<(\/?)([A-Za-z]+)[^>]*?(\/?)>/g)) {
    if (close === "/") {
      assert.equal(open.pop()?.name, name);
      continue;
    }
    const element = { name, children: [] };
    open.at(-1)!.children.push(element);
    if (empty === "") open.push(element);
  }
  assert.equal(open.length, 1);
  return root.children[0]!;
}

function assertShape({ name, children }: Element): void {
  const model = (SHAPE[name] ?? []).map((child) => `(?:${child.replace(/\W$/, "")} )${/\W$/.exec(child)?.[0] ?? ""}`);
  const found = children.map((child) => `${child.name} `).join("");
  assert.match(found, new RegExp(`^${model.join("")}$`), `${name} has ${found}`);
  for (const child of children) assertShape(child);
}

test("the CIM document is well-formed and in the order of the schema, and says the reading type by its number", async () => {
  await using database = await openHeadEndDatabase(2);
  await fill(database);
  const xml = await textOf(exportAs("cim", INTERVALS, database.pool, database.scope, { ...WINDOW, trust: "all" }));
  assert.equal(xml.match(/<MeterReading>/g)?.length, 2);
  assert.equal(xml.match(/<IntervalReadings>/g)?.length, 41);
  assert.match(xml, /<ReadingType ref="0\.0\.2\.3\.1\.1\.12\.0\.0\.0\.0\.0\.0\.0\.0\.0\.72\.0"\/>/);
  assert.match(
    xml,
    /<timeStamp>2026-11-20T00:45:00\.000Z<\/timeStamp><value>\d+<\/value><ReadingQualities><ReadingQualityType ref="2\.10\.0"\/>/,
  );
  assertShape(elementsOf(xml));
});

test("what has no number in the tables of IEC 61968-9 goes by its OBIS code, and a name cannot break out of its element", async () => {
  assert.equal(readingType("7-0:3.1.0", "m3", 900), undefined);
  assert.equal(readingType("1-0:1.8.0", "Wh", 901), undefined);
  assert.equal(readingType("1-0:1.6.0", "W", undefined), undefined, "nobody knows of how long a maximum is");
  assert.equal(readingType("1-0:32.7.3", "V", undefined), undefined, "a harmonic is not the voltage");
  assert.equal(readingType("1-0:1.8.0*1", "Wh", undefined), undefined, "what was counted in a billing period before");
  assert.equal(readingType("1-0:1.8.2", "Wh", undefined), "0.0.0.3.1.1.12.0.0.0.0.2.0.0.0.0.72.0");
  assert.equal(readingType("1-0:2.29.0", "kWh", 1800), "0.0.5.4.19.1.12.0.0.0.0.0.0.0.0.3.72.0");
  async function* one(): AsyncGenerator<ExportedMeter<ExportableRegister>> {
    yield {
      systemTitle: "4D4B560000000000",
      serialNumber: `"></name><evil a='&'>\u0000`,
      periodSeconds: 900,
      trustNow: "trusted",
      channels: [],
    };
  }
  assert.match(
    await textOf(asCim(REGISTERS, one())),
    /<name>&quot;&gt;&lt;\/name&gt;&lt;evil a='&amp;'&gt;\ufffd<\/name>/,
  );
});

/** Registers of a meter that rest on one APDU. */
async function say(
  { pool, scope, meters }: HeadEndDatabase,
  meter: number,
  said: readonly Omit<RegisterRecord, "evidence">[],
  protection: "authenticated" | "none" = "authenticated",
): Promise<string> {
  const octets = new TextEncoder().encode(JSON.stringify([meter, said, protection]));
  const hash = evidenceHash(octets);
  const evidence = { hash, octets, plain: octets, protection, receivedAt: START + 90_000_000 };
  const registers = said.map((one) => ({ ...one, evidence }));
  const trustHistory = [{ effective: START - 400 * DAY, state: "trusted" as const }];
  const read = { meter: meters[meter]!.id, trustHistory, read: { ...NOTHING_READ, registers } };
  await inTransaction(pool, (sql) => writeReadings(sql, scope, new ChannelTable(pool, scope), [read]));
  return Buffer.from(hash).toString("hex");
}

const DAY = 86_400_000;
const energy = (at: number, value: number, tariff = 0) => ({ obis: `1-0:1.8.${tariff}`, unit: "Wh", at, value });

test("an export of registers has daily values and texts, each with its evidence, in the same rows as CSV and as Parquet", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope } = database;
  await rows(pool, "update trust set state = 'trusted'");
  const firmware = { obis: "1-0:0.2.0", unit: undefined, at: START + 5_000, value: 'a,"b"' };
  const evidence = await say(database, 0, [energy(START, 1_000, 1), energy(START + DAY, 1_500, 1), firmware]);
  const plain = await say(database, 1, [{ ...energy(START + DAY, 7), status: "clock" }], "none");
  const csv = async (trust: ExportWindow["trust"]) =>
    (await textOf(exportAs("csv", REGISTERS, pool, scope, { ...WINDOW, trust }))).trimEnd().split("\r\n");
  const worth = `undisputed,session,2026-11-21T01:00:00.000Z,${evidence},authenticated,trusted,trusted,true`;
  const trusted = [
    "meter,obis,unit,time,value,text,status,standing,source,received,evidence,protection,trust_at_capture,trust_now,decisive",
    `4D4B560000000000,1-0:0.2.0,,2026-11-20T00:00:05.000Z,,"a,""b""",,${worth}`,
    `4D4B560000000000,1-0:1.8.1,Wh,2026-11-20T00:00:00.000Z,1000,,,${worth}`,
    `4D4B560000000000,1-0:1.8.1,Wh,2026-11-21T00:00:00.000Z,1500,,,${worth}`,
  ];
  assert.deepEqual(await csv("trusted"), trusted);
  assert.deepEqual((await csv("all")).slice(trusted.length), [
    `4D4B560000000001,1-0:1.8.0,Wh,2026-11-21T00:00:00.000Z,7,,clock,undisputed,session,2026-11-21T01:00:00.000Z,${plain},none,trusted,trusted,false`,
  ]);
  const found = await rowsOf(exportAs("parquet", REGISTERS, pool, scope, { ...WINDOW, trust: "all" }));
  assert.equal(found.length, 4);
  assert.deepEqual(
    [found[0]?.["value"], found[0]?.["text"], found[0]?.["status"], found[3]?.["value"], found[3]?.["text"]],
    [null, 'a,"b"', null, 7, null],
  );
  assert.deepEqual(found[1], {
    meter: "4D4B560000000000",
    obis: "1-0:1.8.1",
    unit: "Wh",
    time: new Date(START),
    value: 1000,
    text: null,
    status: null,
    standing: "undisputed",
    source: "session",
    received: new Date(START + 90_000_000),
    evidence,
    protection: "authenticated",
    trust_at_capture: "trusted",
    trust_now: "trusted",
    decisive: true,
  });
});

test("an export of events has what every log says in the words of the meter's profile, each line though they are of one moment", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  await rows(pool, "update trust set state = 'trusted'");
  const octets = Buffer.from("a log");
  const answer = (protection: "authenticated" | "none"): EvidenceRecord => ({
    ...{
      hash: evidenceHash(Buffer.from(protection)),
      octets,
      plain: octets,
      protection,
      receivedAt: START + 90_000_000,
    },
  });
  const [authenticated, none] = [answer("authenticated"), answer("none")];
  const event = (log: string, code: number, at: number, evidence = authenticated) => ({
    ...{ log, code, category: "power" as const, severity: 1, at, evidence },
  });
  const log = async (meter: number, events: NonNullable<ReadResult["events"]>) =>
    inTransaction(pool, (sql) =>
      writeReadings(sql, scope, new ChannelTable(pool, scope), [
        {
          meter: meters[meter]!.id,
          trustHistory: [{ effective: 0, state: "trusted" }],
          read: { ...NOTHING_READ, events },
        },
      ]),
    );
  await log(0, [event("standard", 2, START + 60_000), event("standard", 1, START + 60_000)]);
  await log(1, [event("nobody's", 77, START), event("standard", 1, WINDOW.to + 1), event("standard", 1, START, none)]);
  const csv = async (trust: ExportWindow["trust"]) =>
    (await textOf(exportAsTable("csv", EVENTS, pool, scope, { ...WINDOW, trust }))).trimEnd().split("\r\n");
  const hash = (protection: string) => Buffer.from(evidenceHash(Buffer.from(protection))).toString("hex");
  const said = (protection: string, isDecisive: boolean) =>
    `power,1,2026-11-21T01:00:00.000Z,${hash(protection)},${protection},trusted,trusted,${isDecisive}`;
  const [proven, plain] = [said("authenticated", true), said("none", false)];
  const trusted = await csv("trusted");
  assert.deepEqual(trusted, [
    "meter,time,log,code,words,category,severity,received,evidence,protection,trust_at_capture,trust_now,decisive",
    `4D4B560000000000,2026-11-20T00:01:00.000Z,standard,1,power down,${proven}`,
    `4D4B560000000000,2026-11-20T00:01:00.000Z,standard,2,power up,${proven}`,
    `4D4B560000000001,2026-11-20T00:00:00.000Z,nobody's,77,event 77,${proven}`,
  ]);
  assert.deepEqual(
    (await csv("all")).filter((line) => !trusted.includes(line)),
    [`4D4B560000000001,2026-11-20T00:00:00.000Z,standard,1,power down,${plain}`],
  );
  const found = await rowsOf(exportAsTable("parquet", EVENTS, pool, scope, { ...WINDOW, meter: meters[1]!.id }));
  assert.deepEqual(
    found.map((row) => [row["time"], row["code"], row["severity"], row["words"]]),
    [[new Date(START), 77n, 1n, "event 77"]],
  );
});

test("what a meter says cannot become a formula in a spreadsheet, and is said in full; numbers are numbers", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope } = database;
  await rows(pool, "update trust set state = 'trusted'");
  const said = ['=HYPERLINK("http://x",1)', "+49", "-", "@x", "'quoted", "a=b"];
  const text = (value: string, n: number) => ({ obis: `0-0:96.1.${n}`, unit: undefined, at: START, value });
  await say(database, 0, [...said.map(text), { obis: "1-0:16.7.0", unit: "=1+1", at: START, value: -5 }]);
  const csv = (await textOf(exportAs("csv", REGISTERS, pool, scope, WINDOW))).trimEnd().split("\r\n").slice(1);
  assert.deepEqual(
    csv.map((line) => line.split(",").slice(2, 6).join()),
    [
      `,2026-11-20T00:00:00.000Z,,"'=HYPERLINK(""http://x""`,
      ...["'+49", "'-", "'@x", "''quoted", "a=b"].map((one) => `,2026-11-20T00:00:00.000Z,,${one}`),
      "'=1+1,2026-11-20T00:00:00.000Z,-5,",
    ],
  );
  const found = await rowsOf(exportAs("parquet", REGISTERS, pool, scope, WINDOW));
  assert.deepEqual(
    found.slice(0, said.length).map((row) => row["text"]),
    said,
  );
});

test("of several values of one moment decisions have the first that they may use, and all of it has each", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope, meters } = database;
  await rows(pool, "update trust set state = 'trusted'");
  const other = { from: undefined, to: undefined, limit: 9 } as const;
  const used = async (trust: ExportWindow["trust"]) => {
    const exported = await allOf(exportedMeters(REGISTERS, pool, scope, { ...WINDOW, trust }));
    const { readings } = await registerReadings(pool, scope, meters[0]!, { ...other, trust });
    const values = exported.flatMap(({ channels }) => channels.flatMap((one) => one.values));
    const told = readings.toReversed().map(({ value, decisive }) => [value, decisive]);
    assert.deepEqual(
      told,
      values.map(({ value, decisive }) => [value, decisive]),
      "a query says the same",
    );
    return told;
  };
  await say(database, 0, [energy(START, 1)], "none");
  await say(database, 0, [energy(START, 2)]);
  await say(database, 0, [energy(START, 3)]);
  await say(database, 0, [energy(START + DAY, 4)]);
  assert.deepEqual(await used("trusted"), [
    [2, true],
    [4, true],
  ]);
  assert.deepEqual(await used("all"), [
    [1, false],
    [2, true],
    [3, false],
    [4, true],
  ]);
});

test("registers that are in dispute are left out, and with all of it there, marked, also in CIM", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  await rows(pool, "update trust set state = 'trusted'");
  await say(database, 0, [energy(START + DAY / 2, 1_000), energy(START + DAY, 1_500)]);
  await say(database, 1, [energy(START + DAY, 5)]);
  const subject = { kind: "meter", meter: meters[0]!.id } as const;
  const stretch = { from: START, to: START + DAY / 2 };
  await writeFindings(
    pool,
    scope,
    [{ rule: "P-1", subject, stretch, confidence: 1, sentence: "", data: {} }],
    START + DAY,
  );
  const kept = await allOf(exportedMeters(REGISTERS, pool, scope, WINDOW));
  assert.deepEqual(
    kept.map(({ channels }) => channels.flatMap(({ values }) => values.map(({ value }) => value))),
    [[1_500], [5]],
  );
  const xml = await textOf(exportAs("cim", REGISTERS, pool, scope, { ...WINDOW, trust: "all" }));
  assertShape(elementsOf(xml));
  assert.match(
    xml,
    /<timeStamp>2026-11-20T12:00:00\.000Z<\/timeStamp><value>1000<\/value><ReadingQualities><ReadingQualityType ref="2\.5\.258"\/><\/ReadingQualities><ReadingType ref="0\.0\.0\.3\.1\.1\.12\.0\.0\.0\.0\.0\.0\.0\.0\.0\.72\.0"\/>/,
  );
  assert.deepEqual([xml.match(/<Readings>/g)?.length, xml.match(/ref="2\.0\.0"/g)?.length], [3, 2]);
});

test("a year of registers comes a month at a time, of one moment and of one meter alone", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  await rows(pool, "update trust set state = 'trusted'");
  const DAYS = 365;
  const days = Array.from({ length: DAYS }, (_, n) => energy(START - (DAYS - 1 - n) * DAY, n));
  for (const meter of [0, 1]) await say(database, meter, days);
  const window = { from: START - (DAYS - 1) * DAY, to: START, trust: "trusted", meter: meters[1]!.id } as const;
  const parts: number[][] = [];
  for await (const { systemTitle, channels } of exportedMeters(REGISTERS, pool, scope, window)) {
    assert.equal(systemTitle, meters[1]!.title);
    // Late and for a month that is still to come: of another moment.
    if (parts.length === 0) await say(database, 1, [energy(START - 1, 9_999)]);
    parts.push(channels.flatMap(({ values }) => values.map(({ value }) => value as number)));
  }
  assert.deepEqual(
    parts.flat(),
    Array.from({ length: DAYS }, (_, n) => n),
  );
  assert.ok(parts.every((part) => part.length <= 31));
});
