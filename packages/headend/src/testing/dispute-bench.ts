import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { inTransaction } from "@meterkeep/postgres";
import { expand } from "../campaign/expansion.ts";
import type { SqlClient } from "../database/sql.ts";
import { type RecordSettled, type Settlement, settleDisputes } from "../dispute/settle.ts";
import { plausibilityView } from "../plausibility/view.ts";
import { writeFindings } from "../plausibility/write-findings.ts";
import { ChannelTable } from "../reading/channels.ts";
import { type EvidenceRecord, NOTHING_READ, type ReadResult } from "../reading/result.ts";
import { writeReadings } from "../reading/write.ts";
import { evidenceHash } from "../session/ladder.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { qualityReadings } from "../view/power-quality.ts";
import { profileReadings, registerReadings } from "../view/readings.ts";
import type { HeadEndDatabase } from "./database.ts";

export const NOON = Date.parse("2026-11-21T12:00:00Z");
export const QUARTER = 900_000;
export const at = (n: number): number => NOON + n * QUARTER;
export const WINDOW = { from: undefined, to: undefined, trust: "trusted", limit: 100 } as const;
export const BY = { reason: "the clock was seen to", by: "Otto" } as const;
/** A clock that was moved. */
export const off = { offsetSeconds: 3_600, isIncident: true } as const;
export const ROWS = ["intervals", "registers", "quality"] as const;

export const record: RecordSettled = async (settled) => settled.map((_, n) => 40 + n);

type Asked = Omit<Settlement, "reason" | "by">;

export function evidence(): EvidenceRecord {
  const octets = new Uint8Array(randomBytes(24));
  return { hash: evidenceHash(octets), octets, plain: octets, protection: "authenticated", receivedAt: NOON };
}

/** What meters of a database said, by quarter hours from noon, what was found of it and decided, and how it stands. */
export function disputeBench(database: () => HeadEndDatabase) {
  /** What a meter said: its intervals, registers and rows of power quality of each quarter hour that is named. */
  async function store(meter: number, slots: readonly number[], more: Partial<ReadResult> = {}, value = 100) {
    await inTransaction(database().pool, (sql) => storeWith(sql, meter, slots, more, value));
  }

  async function storeWith(
    sql: SqlClient,
    meter: number,
    slots: readonly number[],
    more: Partial<ReadResult> = {},
    value = 100,
  ) {
    const { pool, scope, meters } = database();
    const channels = new ChannelTable(pool, scope);
    const record = evidence();
    const energy = { obis: "1-0:1.8.0", unit: "Wh" };
    const volts = { obis: "1-0:32.24.0", unit: "V", value: 230 };
    const read: ReadResult = {
      ...NOTHING_READ,
      registers: slots.map((n) => ({ ...energy, value: value + n, at: at(n), evidence: record })),
      intervals: slots.map((n) => ({ ...energy, value: value + n, at: at(n), status: undefined, evidence: record })),
      quality: slots.map((n) => ({ at: at(n), values: [volts], evidence: record })),
      ...more,
    };
    await channels.prepare([energy, volts]);
    const trustHistory = [{ effective: 0, state: "trusted" as const }];
    const of = { meter: meters[meter]!.id, contactAt: NOON, trustHistory, read };
    await writeReadings(sql, scope, channels, [of]);
  }

  /** A finding that disputes what ends behind `from` up to `to`, in quarter hours. */
  function find(meter: number, rule: "P-1" | "P-14", from: number, to: number) {
    const { pool, scope, meters } = database();
    const subject = { kind: "meter", meter: meters[meter]!.id } as const;
    const finding = { rule, subject, stretch: { from: at(from), to: at(to) }, confidence: 1, sentence: "", data: {} };
    return writeFindings(pool, scope, [finding], NOON);
  }

  function look(meters: readonly number[], settlement: Asked) {
    const chosen = meters.map((meter) => database().meters[meter]!);
    return settleDisputes(database().pool, database().scope, chosen, { ...settlement, ...BY }, { now: () => NOON });
  }

  /** Settles what was looked at, or what there is now. */
  async function settle(meters: readonly number[], settlement: Asked, looked?: string) {
    const { pool, scope } = database();
    const chosen = meters.map((meter) => database().meters[meter]!);
    const act = { digest: looked ?? (await look(meters, settlement)).digest, record };
    return (await settleDisputes(pool, scope, chosen, { ...settlement, ...BY }, { now: () => NOON, act })).meters;
  }

  /** How the rows of a meter stand, by quarter hour, and which of them decisions may use. */
  async function shown(meter: number) {
    const { pool, scope, meters } = database();
    const [all, decisive] = [{ ...WINDOW, trust: "all" } as const, WINDOW];
    const of = meters[meter]!;
    const slot = ({ time }: { readonly time: string }): number => (Date.parse(time) - NOON) / QUARTER;
    const profile = (await profileReadings(pool, scope, of, all)).rows;
    const kept = await profileReadings(pool, scope, of, decisive);
    const registers = (await registerReadings(pool, scope, of, all)).readings.toReversed();
    const keptRegisters = await registerReadings(pool, scope, of, decisive);
    const quality = (await qualityReadings(pool, scope, of, WINDOW)).rows;
    assert.deepEqual(
      profile.filter((row) => row.decisive).map(slot),
      kept.rows.map(slot),
      "the filter and the mark say the same",
    );
    assert.deepEqual(registers.filter((one) => one.decisive).map(slot), keptRegisters.readings.toReversed().map(slot));
    assert.deepEqual(
      [kept.leftOut, keptRegisters.leftOut],
      [profile.length - kept.rows.length, registers.length - keptRegisters.readings.length],
    );
    return {
      intervals: profile.map((row) => row.quality),
      registers: registers.map(({ standing }) => standing),
      quality: quality.map(({ standing, decisive: may }) => `${standing} ${may}`),
      decisive: kept.rows.map(slot),
    };
  }

  /** Findings of a meter, oldest first: what they are about and how they stand. */
  async function listed(meter: number) {
    const { pool, scope, meters } = database();
    const filter = { meter: meters[meter]!.id, rule: undefined, disputes: true, limit: 50 };
    const { findings } = await plausibilityView(pool, scope, filter, () => at(8));
    return findings
      .toReversed()
      .map(({ rule, concerns, to, standing }) =>
        [rule, concerns, (Date.parse(to) - NOON) / QUARTER, standing].join(" "),
      );
  }

  /** MC-10: whether what it said is no ground for arrears. */
  async function isNoGround(meter: number): Promise<boolean | undefined> {
    const { pool, scope, meters } = database();
    await pool.query("update meters set role = 'home'");
    const selection = { kind: "list" as const, meters: [meters[meter]!.title] };
    const [one] = await expand(pool, scope, selection, "off", { now: NOON + 1, clockOf: () => WALL_SOURCE_CLOCK });
    return one?.isDisputed;
  }

  /** Writes what a meter said and comes to a stop before a statement that looks so, or, where none is named, before it commits. */
  async function beginToStore(meter: number, slots: readonly number[], looksSo?: RegExp) {
    const [reached, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const stop = async () => {
      reached.resolve();
      await goesOn.promise;
    };
    const { pool } = database();
    const through = (sql: SqlClient): SqlClient => {
      const query = async (text: string, values?: unknown[]) => {
        if (looksSo?.test(text) === true) await stop();
        return sql.query(text, values);
      };
      return { query } as unknown as SqlClient;
    };
    const client = await pool.connect();
    const commit = async (text: string) => {
      if (looksSo === undefined && text === "commit") await stop();
      return client.query(text);
    };
    const own = { connect: async () => ({ query: commit, release: () => client.release() }) };
    const stored = inTransaction(own as unknown as Pick<typeof pool, "connect">, async () =>
      storeWith(through(client), meter, slots),
    );
    await Promise.race([reached.promise, stored]);
    return async () => {
      goesOn.resolve();
      await stored;
    };
  }

  return { store, storeWith, beginToStore, find, look, settle, shown, listed, isNoGround };
}
