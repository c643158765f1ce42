import type { MeterKind } from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import {
  type ChannelTable,
  type Collecting,
  CommandSessions,
  CustodianRoom,
  type DestinationWatch,
  type Dial,
  type EventSink,
  type Meter,
  type MeterId,
  Moves,
  type Outbox,
  Results,
  ScalerTable,
  type Scope,
  SESSION_LIMITS,
  type SessionNews,
  SessionRunner,
  type SourceClock,
  type SqlPool,
  Throttle,
  Worker,
  type WorkQueue,
} from "@meterkeep/headend";
import type { Ledger } from "@meterkeep/ledger";
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
  /** Where what is read, believed and done is announced, if it is. */
  readonly outbox: Outbox | undefined;
  readonly events: EventSink;
  clockOf(kind: MeterKind): SourceClock;
  now(): number;
  readonly collecting: Collecting;
  readonly concurrency: number;
  /** Who leases: the worker that the database knows by this name. */
  readonly owner: string;
  onChange(meters: readonly MeterId[]): void;
  /** The custodian has another word of a meter than before. */
  onOtherWord(meter: Meter): void;
  onSession(session: SessionNews): void;
  onError(error: unknown): void;
}

/** What holds sessions with meters: in the server, or in a process of its own. */
export interface MeterWork {
  readonly worker: Worker;
  /** So many processes hold sessions over the same ways, this one included. */
  shareWith(workers: number): void;
  close(): Promise<void>;
}

/** A lease outlives the longest session. */
const LEASE_SECONDS = SESSION_LIMITS.totalSeconds + 60;
/** Readings that end within this share a transaction: its dozen statements cost more than the rows of one session. */
const GATHER_MILLISECONDS = 60;
/** Whoever makes work says so; this is for what nobody says. */
const IDLE_MILLISECONDS = 10_000;

/** Puts the parts that speak with meters together. Nothing starts yet. */
export function createMeterWork(ports: MeterWorkPorts): MeterWork {
  const { pool, scope, custodian, ledger, queue, channels, events, dial, clockOf, onChange, onError } = ports;
  const { now } = ports;
  const results = new Results(pool, scope, channels, ports.outbox, (enough) => {
    const timer = setTimeout(enough, GATHER_MILLISECONDS);
    return () => clearTimeout(timer);
  });
  const throttle = new Throttle();
  const room = new CustodianRoom(ports.concurrency);
  const runner = new SessionRunner(
    {
      custodian,
      commands: new CommandSessions({ ...ports.commands, dial }),
      dial,
      scalers: new ScalerTable(),
      results,
      throttle,
      room,
      watch: ports.destinations,
      moves: new Moves(pool, scope, now),
      ledger,
      scope,
      events,
      clockOf,
      now,
      sleep: pause,
      random: Math.random,
      onChange,
      onOtherWord: ports.onOtherWord,
      onSession: (meter, { id, purpose, outcome, startedAt, endedAt }, read) =>
        ports.onSession({
          meter: meter.title,
          id,
          purpose,
          outcome,
          milliseconds: endedAt - startedAt,
          intervals: read?.intervals.length ?? 0,
          ...(read?.supply === undefined ? {} : { supply: read.supply }),
        }),
    },
    { limits: SESSION_LIMITS, collecting: ports.collecting },
  );
  const worker = new Worker(
    {
      queue,
      run: (lease, signal) => runner.run(lease, signal),
      room,
      hurry: (meters) => results.hurry(meters),
      onError,
      now,
      sleep: pause,
    },
    {
      owner: ports.owner,
      concurrency: ports.concurrency,
      leaseSeconds: LEASE_SECONDS,
      idleMilliseconds: IDLE_MILLISECONDS,
    },
  );
  return {
    worker,
    shareWith: (workers) => throttle.shareWith(workers),
    close: async () => {
      await worker.close();
      await results.settled();
    },
  };
}
