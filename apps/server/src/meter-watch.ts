import type { MeterKind } from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import {
  ChangedMeters,
  type EventHub,
  meterSummaries,
  type Outbox,
  type Scope,
  type SourceClock,
  type SqlPool,
  TakeoverWatch,
  trustEvent,
  trustLine,
  type WorkQueue,
} from "@meterkeep/headend";
import type { Ledger } from "@meterkeep/ledger";

export interface MeterWatchPorts {
  readonly pool: SqlPool;
  readonly scope: Scope;
  readonly custodian: Custodian;
  readonly ledger: Ledger;
  readonly queue: WorkQueue;
  readonly hub: EventHub;
  readonly outbox: Outbox | undefined;
  clockOf(kind: MeterKind): SourceClock;
  now(): number;
  /** A takeover is done: there is something to read. */
  onTakenOver(): void;
  onError(error: unknown): void;
}

/** What tells pages how meters stand: their lines as they change, and the takeovers that the depot carries. */
export interface MeterWatch {
  readonly takeovers: TakeoverWatch;
  readonly changed: ChangedMeters;
}

/** Puts the watch together. */
export function createMeterWatch(ports: MeterWatchPorts): MeterWatch {
  const { pool, scope, custodian, ledger, queue, hub, clockOf, onTakenOver, onError } = ports;
  const { now } = ports;
  const changed = new ChangedMeters({
    summaries: (ids) => meterSummaries(pool, scope, clockOf, now(), { ids }),
    events: hub,
    onError,
  });
  const takeovers = new TakeoverWatch({
    pool,
    scope,
    custodian,
    ledger,
    queue,
    outbox: ports.outbox,
    clockOf,
    now,
    onChange: (meter, state, trust) => {
      changed.add(meter.id);
      if (state !== undefined) {
        const { step, sentence, grade, verdict } = state;
        const at = new Date(now()).toISOString();
        hub.publish("takeover", { meter: meter.title, at, step, sentence, grade, verdict });
      }
      if (trust !== undefined) hub.publish("takeover", trustEvent(meter, state, trust), trustLine(meter, trust));
      if (state?.phase === "done") onTakenOver();
    },
  });
  return { takeovers, changed };
}
