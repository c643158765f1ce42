import type { TrustStateName } from "@meterkeep/api";
import type { Custodian, CustodianRequest, TakeoverState } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import type { Ledger } from "@meterkeep/ledger";
import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { rows, type SqlPool } from "../database/sql.ts";
import {
  METER_COLUMNS,
  METERS_WITH_FEEDER,
  type Meter,
  type MeterId,
  type MeterRow,
  meterOfRow,
} from "../inventory/meter.ts";
import { trustAnnounced } from "../outbox/announcement.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { judgeTrust, RECORD_REFUSED } from "../trust/trust.ts";
import { changeOf, trustDraft } from "../trust/trust-record.ts";
import { writeTrust } from "../trust/write.ts";
import type { TrustChangeRecord } from "../work/finish.ts";
import { LANES, type WorkQueue } from "../work/lease.ts";
import { writeTakeovers } from "./view.ts";

export interface TakeoverWatchPorts {
  readonly pool: SqlPool;
  readonly scope: Scope;
  readonly custodian: Pick<Custodian, "takeoverStates" | "compromisedSince">;
  readonly ledger: Pick<Ledger, "append">;
  readonly queue: Pick<WorkQueue, "due">;
  /** Where changes of trust are announced, if they are. */
  readonly outbox?: Pick<Outbox, "announce"> | undefined;
  clockOf(kind: Meter["kind"]): SourceClock;
  now(): number;
  /** A meter's view has changed. */
  onChange(meter: Meter, state: TakeoverState | undefined, trust: TrustChangeRecord | undefined): void;
}

/** The custodian answers so many at a time. */
const PAGE = 200;

/** A big depot is looked at in samples: every meter comes up, and no look takes long. */
const AT_A_LOOK = 400;

interface Watched {
  readonly meter: Meter;
  readonly trust: { readonly state: TrustStateName; readonly reason: string };
  readonly seen: string;
}

/**
 * Learns from the custodian how takeovers stand that others carry: those of the depot, which has no way to us, any
 * that went on while this process was down. Of a meter whose record it refuses it says nothing.
 */
export class TakeoverWatch {
  readonly #ports: TakeoverWatchPorts;

  /** How far the custodian's word of compromised keys has been followed. */
  #compromised: CustodianRequest<"compromisedSince"> = { at: 0, meter: undefined };

  constructor(ports: TakeoverWatchPorts) {
    this.#ports = ports;
  }

  /**
   * Follows keys that have become compromised: a meter's trust drops as soon as the custodian knows, not at its next
   * contact. @returns how many meters were looked at
   */
  async follow(): Promise<number> {
    for (let looked = 0; ; ) {
      const { meters, at, meter } = await this.#ports.custodian.compromisedSince(this.#compromised);
      if (meters.length === 0) return looked;
      looked += await this.#bring(
        await this.#find("m.system_title = any($3::bytea[])", [meters.map((title) => Buffer.from(title))]),
      );
      this.#compromised = { at, meter };
    }
  }

  /** Brings the views up to date. @returns how many were looked at; with none left there is nothing to learn. */
  async look(which: "depot" | "all"): Promise<number> {
    return this.#bring(await this.#find(WHICH[which]));
  }

  /** Brings the view of one meter up to date, finished or not. */
  async lookAt(meter: MeterId): Promise<void> {
    await this.#bring(await this.#find("m.meter_id = $3", [meter]));
  }

  async #bring(watched: readonly Watched[]): Promise<number> {
    for (let at = 0; at < watched.length; at += PAGE) {
      const page = watched.slice(at, at + PAGE);
      const { states } = await this.#ports.custodian.takeoverStates({
        meters: page.map(({ meter }) => meter.systemTitle),
        after: undefined,
      });
      const byTitle = new Map(states.map((state) => [systemTitleText(state.meter), state]));
      const changed = page.flatMap((entry) => {
        const state = byTitle.get(entry.meter.title);
        const isSame =
          state !== undefined && mark(state) === entry.seen && entry.trust.reason !== RECORD_REFUSED.reason;
        return isSame ? [] : [{ ...entry, state }];
      });
      await this.#write(changed);
    }
    return watched.length;
  }

  async #find(which: string, values: readonly unknown[] = []): Promise<readonly Watched[]> {
    const { pool, scope } = this.#ports;
    const found = await rows<WatchedRow>(pool, `${SELECT} and ${which}`, [...scope.place, ...values]);
    return found.map((row) => ({
      meter: meterOfRow(row),
      trust: { state: row.state, reason: row.reason },
      seen: row.seen,
    }));
  }

  /** A meter of which the custodian gives no state keeps its last view, and is not believed. */
  async #write(changed: readonly (Watched & { readonly state: TakeoverState | undefined })[]): Promise<void> {
    if (changed.length === 0) return;
    const { pool, scope, ledger, queue, outbox, onChange } = this.#ports;
    const judged = changed.map(({ meter, trust, state }) => ({
      meter,
      state,
      trust,
      change: this.#judge(meter, trust, state),
    }));
    const drafts = judged.flatMap(({ meter, trust, change }) =>
      change === undefined ? [] : [trustDraft(scope, meter.title, trust, change)],
    );
    if (drafts.length > 0) await ledger.append(...drafts);
    await inTransaction(pool, async (sql) => {
      await writeTakeovers(
        sql,
        scope,
        judged.flatMap(({ meter, state }) => (state === undefined ? [] : [{ meter: meter.id, state }])),
      );
      await writeTrust(
        sql,
        scope,
        judged.flatMap(({ meter, change }) => (change === undefined ? [] : [{ meter: meter.id, change }])),
      );
      await outbox?.announce(
        sql,
        judged.flatMap(({ meter, change }) => (change === undefined ? [] : [trustAnnounced(meter.title, change)])),
      );
    });
    const ready = judged.filter(({ state }) => state?.phase === "done").map(({ meter }) => meter.id);
    if (ready.length > 0) await queue.due(ready, this.#ports.now(), LANES.reading);
    for (const { meter, state, change } of judged) onChange(meter, state, change);
  }

  #judge(meter: Meter, trust: Watched["trust"], state: TakeoverState | undefined): TrustChangeRecord | undefined {
    const { clockOf, now } = this.#ports;
    const decidedAt = now();
    const judged = state === undefined ? RECORD_REFUSED : judgeTrust({ ...state, protection: undefined });
    // What was proven before its record was refused does not count from then on again.
    const since = trust.reason === RECORD_REFUSED.reason ? decidedAt : (state?.provenAt ?? decidedAt);
    return changeOf(trust, judged, decidedAt, clockOf(meter.kind).atSource(since));
  }
}

/** What tells whether a view is the same as before. */
function mark(state: TakeoverState): string {
  return `${state.phase} ${state.step} ${state.verdict} ${state.steps.length} ${state.grade}`;
}

interface WatchedRow extends MeterRow {
  readonly state: TrustStateName;
  readonly reason: string;
  readonly seen: string;
}

const UNFINISHED = "t.phase not in ('done', 'not-applicable', 'left')";
const WHICH = {
  depot: `${UNFINISHED} and f.path = 'depot' order by random() limit ${AT_A_LOOK}`,
  all: UNFINISHED,
} as const;

const SELECT = `
  select ${METER_COLUMNS}, tr.state, tr.reason,
    concat_ws(' ', t.phase, t.step, t.verdict, jsonb_array_length(t.steps), t.grade) as seen
  from ${METERS_WITH_FEEDER}
  join takeovers t on (t.utility_id, t.island_id, t.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  join trust tr on (tr.utility_id, tr.island_id, tr.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  where m.utility_id = $1 and m.island_id = $2`;
