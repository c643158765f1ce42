import type { TrustStateName } from "@meterkeep/api";
import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { rows, type SqlPool } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { readingsAnnounced, trustAnnounced } from "../outbox/announcement.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { ChannelTable } from "../reading/channels.ts";
import type { ReadResult } from "../reading/result.ts";
import { writeReadings } from "../reading/write.ts";
import type { Route } from "../route/route.ts";
import { countTraffic, pushTraffic } from "../route/sim-traffic.ts";
import type { TrustPeriod } from "../trust/trust-at.ts";
import { writeTrust } from "../trust/write.ts";
import type { TrustChangeRecord } from "../work/finish.ts";
import type { PushSources, PushTally } from "./push-sources.ts";

/** A push that was opened, read and judged. */
export interface StoredPush {
  readonly meter: MeterId;
  readonly route: Route | undefined;
  /** Of its APDU. */
  readonly octets: number;
  /** Its system title. */
  readonly title: string;
  readonly read: ReadResult;
  readonly source: string;
  readonly transport: "tcp" | "udp" | "gateway";
  readonly receivedAt: number;
  readonly trust: TrustChangeRecord | undefined;
}

/** How meters stand, as far as it bears on what they push. */
export interface PushStanding {
  readonly state: TrustStateName;
  readonly reason: string;
  readonly history: readonly TrustPeriod[];
  /** How far its clock was off in its last session, meter minus reference; undefined where none was held. */
  readonly clockOffSeconds: number | undefined;
}

/** Where pushes are kept. */
export class PushStore {
  readonly #pool: SqlPool;
  readonly #scope: Scope;
  readonly #channels: ChannelTable;
  readonly #sources: PushSources;
  readonly #outbox: Pick<Outbox, "announce"> | undefined;

  /** With an `outbox`, what is written is announced. */
  constructor(
    pool: SqlPool,
    scope: Scope,
    channels: ChannelTable,
    sources: PushSources,
    outbox?: Pick<Outbox, "announce">,
  ) {
    this.#pool = pool;
    this.#scope = scope;
    this.#channels = channels;
    this.#sources = sources;
    this.#outbox = outbox;
  }

  async standings(meters: readonly MeterId[]): Promise<ReadonlyMap<MeterId, PushStanding>> {
    const found = await rows<StandingRow>(this.#pool, SELECT_STANDINGS, [...this.#scope.place, meters]);
    return new Map(
      found.map((row) => [
        row.meter_id as MeterId,
        {
          state: row.state,
          reason: row.reason,
          history: (row.history ?? []).map(([effective, state]) => ({ effective, state })),
          clockOffSeconds: row.clock_offset_seconds ?? undefined,
        },
      ]),
    );
  }

  /** Writes pushes and the counts of their senders in one transaction. */
  async write(
    pushes: readonly StoredPush[],
    tallies: readonly PushTally[],
    standings: ReadonlyMap<MeterId, PushStanding>,
  ): Promise<void> {
    await inTransaction(this.#pool, async (sql) => {
      // A meter's last change is the one that holds.
      const changes = new Map(pushes.flatMap(({ meter, trust }) => (trust === undefined ? [] : [[meter, trust]])));
      await writeTrust(
        sql,
        this.#scope,
        [...changes].map(([meter, change]) => ({ meter, change })),
      );
      const historyOf = (meter: MeterId): readonly TrustPeriod[] => {
        const change = changes.get(meter);
        return [...(standings.get(meter)?.history ?? []), ...(change === undefined ? [] : [change])];
      };
      // One statement cannot update a meter's line twice: pushes of one meter are written one after the other.
      for (const round of rounds(merged(pushes)))
        await writeReadings(
          sql,
          this.#scope,
          this.#channels,
          round.map((push) => ({
            meter: push.meter,
            push: { source: push.source, transport: push.transport },
            contactAt: push.receivedAt,
            trustHistory: historyOf(push.meter),
            read: push.read,
          })),
        );
      await countTraffic(
        sql,
        this.#scope,
        pushes.map(({ meter, route, octets, receivedAt }) => ({
          meter: { id: meter, route },
          octets: pushTraffic(octets),
          at: receivedAt,
        })),
      );
      await this.#sources.count(tallies, sql);
      await this.#outbox?.announce(
        sql,
        pushes.flatMap(({ meter, title, read, trust }) => [
          ...(trust === undefined ? [] : [trustAnnounced(title, trust)]),
          ...readingsAnnounced(title, read, historyOf(meter)),
        ]),
      );
    });
  }
}

/** Pushes of one meter that came one way are written together: all their readings, and what the last one says of now. */
function merged(pushes: readonly StoredPush[]): readonly StoredPush[] {
  const byWay = new Map<string, StoredPush>();
  for (const push of pushes) {
    const way = `${push.meter} ${push.transport} ${push.source}`;
    const before = byWay.get(way);
    byWay.set(way, before === undefined ? push : { ...push, read: readTogether(before.read, push.read) });
  }
  return [...byWay.values()];
}

function readTogether(before: ReadResult, after: ReadResult): ReadResult {
  const misdated = [...(before.misdated ?? []), ...(after.misdated ?? [])];
  const registers = [...before.registers, ...after.registers];
  return { ...before, ...after, registers, ...(misdated.length === 0 ? {} : { misdated }) };
}

/** Deals pushes out so that no meter occurs twice in a round, in the order they came. */
function rounds(pushes: readonly StoredPush[]): readonly (readonly StoredPush[])[] {
  const dealt: StoredPush[][] = [];
  const seen = new Map<MeterId, number>();
  for (const push of pushes) {
    const round = seen.get(push.meter) ?? 0;
    seen.set(push.meter, round + 1);
    const other = dealt[round];
    if (other === undefined) dealt.push([push]);
    else other.push(push);
  }
  return dealt;
}

interface StandingRow {
  readonly meter_id: number;
  readonly state: TrustStateName;
  readonly reason: string;
  readonly history: readonly (readonly [number, TrustStateName])[] | null;
  readonly clock_offset_seconds: number | null;
}

const SELECT_STANDINGS = `
  select t.meter_id, t.state, t.reason, l.clock_offset_seconds,
    (select jsonb_agg(jsonb_build_array(extract(epoch from h.effective) * 1000, h.state) order by h.change_id)
     from trust_history h
     where (h.utility_id, h.island_id, h.meter_id) = (t.utility_id, t.island_id, t.meter_id)) as history
  from trust t
  join meter_latest l on (l.utility_id, l.island_id, l.meter_id) = (t.utility_id, t.island_id, t.meter_id)
  where t.utility_id = $1 and t.island_id = $2 and t.meter_id = any($3::integer[])`;
