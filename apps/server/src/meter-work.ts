import type { MeterKind } from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import {
  ChangedMeters,
  type ChannelTable,
  type Collecting,
  CommandSessions,
  type DestinationWatch,
  type Dial,
  type EventHub,
  type MeterDirectory,
  meterSummaries,
  type ReadResult,
  Results,
  ScalerTable,
  type Scope,
  SESSION_LIMITS,
  SessionRunner,
  type SourceClock,
  type SqlPool,
  TakeoverWatch,
  Throttle,
  trustEvent,
  trustLine,
  Worker,
  type WorkQueue,
} from "@meterkeep/headend";
import type { Ledger } from "@meterkeep/ledger";
import type { Metrics } from "./http/metrics.ts";
import { pause } from "./repeat.ts";

export interface MeterWorkPorts {
  readonly pool: SqlPool;
  readonly dial: Dial;
  readonly destinations: DestinationWatch;
  readonly scope: Scope;
  readonly custodian: Custodian;
  /** What carries commands out, but for the way to the meter. */
  readonly commands: Omit<ConstructorParameters<typeof CommandSessions>[0], "dial">;
  readonly ledger: Ledger;
  readonly queue: WorkQueue;
  readonly channels: ChannelTable;
  readonly directory: MeterDirectory;
  readonly hub: EventHub;
  readonly metrics: () => Pick<Metrics, "sessions" | "sessionSeconds" | "intervals">;
  clockOf(kind: MeterKind): SourceClock;
  readonly collecting: Collecting;
  readonly concurrency: number;
  /** Who leases: the worker that the database knows by this name. */
  readonly owner: string;
  onSession(...args: Parameters<ConstructorParameters<typeof SessionRunner>[0]["onSession"]>): void;
  onError(error: unknown): void;
}

/** What speaks with meters: the worker that holds sessions, and the watch over the depot's takeovers. */
export interface MeterWork {
  readonly worker: Worker;
  readonly watch: TakeoverWatch;
  readonly changed: ChangedMeters;
  close(): Promise<void>;
}

/** A lease outlives the longest session. */
const LEASE_SECONDS = SESSION_LIMITS.totalSeconds + 60;
/** Whoever makes work says so; this is for what nobody says. */
const IDLE_MILLISECONDS = 10_000;

/** Puts the parts that speak with meters together. Nothing starts yet. */
export function createMeterWork(ports: MeterWorkPorts): MeterWork {
  const { pool, scope, custodian, ledger, queue, channels, hub, dial, clockOf, onError } = ports;
  const now = (): number => Date.now();
  const changed = new ChangedMeters({
    summaries: (ids) => meterSummaries(pool, scope, clockOf, now(), { ids }),
    events: hub,
    onError,
  });
  const results = new Results(pool, scope, channels);
  const throttle = new Throttle();
  const runner = new SessionRunner(
    {
      custodian,
      commands: new CommandSessions({ ...ports.commands, dial }),
      dial,
      scalers: new ScalerTable(),
      results,
      throttle,
      watch: ports.destinations,
      ledger,
      scope,
      events: hub,
      clockOf,
      now,
      sleep: pause,
      random: Math.random,
      onChange: (meters) => changed.add(...meters),
      onRecordAccepted: (meter) => void watch.lookAt(meter.id).catch(onError),
      onSession: (meter, session, read) => {
        count(ports.metrics(), session.purpose, session.outcome, session.endedAt - session.startedAt, read);
        ports.onSession(meter, session, read);
      },
    },
    { limits: SESSION_LIMITS, collecting: ports.collecting },
  );
  const worker = new Worker(
    { queue, run: (lease, signal) => runner.run(lease, signal), onError, now, sleep: pause },
    {
      owner: ports.owner,
      concurrency: ports.concurrency,
      leaseSeconds: LEASE_SECONDS,
      idleMilliseconds: IDLE_MILLISECONDS,
    },
  );
  const watch = new TakeoverWatch({
    pool,
    scope,
    custodian,
    ledger,
    queue,
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
      if (state?.phase === "done") worker.wake();
    },
  });
  return {
    worker,
    watch,
    changed,
    close: async () => {
      await worker.close();
      await results.settled();
      changed.close();
    },
  };
}

function count(
  metrics: Pick<Metrics, "sessions" | "sessionSeconds" | "intervals">,
  purpose: string,
  outcome: string,
  milliseconds: number,
  read: ReadResult | undefined,
): void {
  metrics.sessions.inc({ purpose, outcome });
  metrics.sessionSeconds.observe({ purpose }, milliseconds / 1000);
  if (read !== undefined) metrics.intervals.inc(read.intervals.length);
}
