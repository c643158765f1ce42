import { inTransaction, isPassing } from "@meterkeep/postgres";
import { writeCommands } from "../campaign/write-commands.ts";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql, type SqlPool } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import type { MeterId } from "../inventory/meter.ts";
import { type Announcement, commandAnnounced, readingsAnnounced, trustAnnounced } from "../outbox/announcement.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { ChannelTable } from "../reading/channels.ts";
import { writeReadings } from "../reading/write.ts";
import { countTraffic, sessionTraffic, type Traffic } from "../route/sim-traffic.ts";
import { octetCounts } from "../session/ladder.ts";
import { writeSessions } from "../session/write.ts";
import { writeTakeovers } from "../takeover/view.ts";
import type { TrustPeriod } from "../trust/trust-at.ts";
import { writeTrust } from "../trust/write.ts";
import type { Finished } from "./finish.ts";
import type { Due, Lane } from "./lease.ts";
import { dueText, RELEASE } from "./postgres-queue.ts";

const MAX_GROUP = 64;
/** So many are worth a transaction: they wait for no more. */
const WORTH_A_TRANSACTION = 32;

interface Waiting {
  readonly finished: Finished;
  readonly resolve: (due: Due) => void;
  readonly reject: (error: unknown) => void;
}

/** Gives more results the time to end, so that they share a transaction: calls `enough` when it is time to write. @returns what ends it before. */
export type Gather = (enough: () => void) => () => void;

/**
 * Writes what leases brought, in groups: what finishes while a transaction is under way shares the next one. The
 * transaction starts by ending the leases; whose epoch is not the newest any more gets nothing written and `lease-lost`.
 * A result that cannot be written is rejected by itself.
 *
 * There are two queues, each with a transaction of its own: for what nobody waits for, which is gathered, and for what somebody does,
 * which waits for no transaction of many.
 */
export class Results {
  readonly #pool: SqlPool;
  readonly #scope: Scope;
  readonly #channels: ChannelTable;
  readonly #outbox: Pick<Outbox, "announce"> | undefined;
  readonly #ordinary: Groups;
  readonly #awaited: Groups;
  /** Meters whose results are to be awaited, though their leases do not say so. */
  readonly #hurried = new Set<MeterId>();

  /** With an `outbox`, what is written is announced. Only what nobody waits for is gathered. */
  constructor(pool: SqlPool, scope: Scope, channels: ChannelTable, outbox?: Pick<Outbox, "announce">, gather?: Gather) {
    this.#pool = pool;
    this.#scope = scope;
    this.#channels = channels;
    this.#outbox = outbox;
    const write = this.#writeGroup.bind(this);
    this.#ordinary = new Groups(write, gather);
    this.#awaited = new Groups(write);
  }

  /** Resolves when it is written, with when its meter is due again. @throws HeadEndError `lease-lost`. */
  write(finished: Finished): Promise<Due> {
    const isHurried = this.#hurried.delete(finished.lease.meter.id);
    return (isOrdinary(finished) && !isHurried ? this.#ordinary : this.#awaited).add(finished);
  }

  /**
   * Somebody has asked for these meters while they are leased here, and is served when their results are written: they wait for no
   * others, be they handed over already or not.
   */
  hurry(meters: readonly MeterId[]): void {
    const hurried = new Set(meters);
    const taken = this.#ordinary.takeOut(({ lease }) => hurried.has(lease.meter.id));
    this.#awaited.take(taken);
    for (const { finished } of taken) hurried.delete(finished.lease.meter.id);
    for (const meter of hurried) this.#hurried.add(meter);
  }

  /** Waits until everything handed over is written. */
  async settled(): Promise<void> {
    await Promise.all([this.#ordinary.settled(), this.#awaited.settled()]);
  }

  async #writeGroup(group: readonly Finished[]): Promise<ReadonlyMap<string, Due>> {
    await this.#channels.prepare(
      group.flatMap(({ read }) => [
        ...(read?.intervals ?? []),
        ...(read?.quality ?? []).flatMap(({ values }) => values),
      ]),
    );
    return inTransaction(this.#pool, async (sql) => {
      // Only readings: what a power cut takes is missing again, and is read again. What was decided or done waits for the disk.
      if (group.every(({ trust, takeover, command }) => (trust ?? takeover ?? command) === undefined))
        await sql.query("set local synchronous_commit = off");
      const kept = await this.#endLeases(sql, group);
      const fenced = group.filter((finished) => kept.has(fenceOf(finished)));
      await writeSessions(sql, this.#scope, fenced);
      await countTraffic(sql, this.#scope, fenced.flatMap(trafficOf));
      await writeTakeovers(
        sql,
        this.#scope,
        fenced.flatMap(({ lease, takeover }) => (takeover ? [{ meter: lease.meter.id, state: takeover }] : [])),
      );
      await writeTrust(
        sql,
        this.#scope,
        fenced.flatMap(({ lease, trust }) => (trust ? [{ meter: lease.meter.id, change: trust }] : [])),
      );
      await writeCommands(
        sql,
        this.#scope,
        fenced.flatMap(({ lease, command, session }) =>
          command ? [{ lease, command, ...(session === undefined ? {} : { session }) }] : [],
        ),
      );
      await writeReadings(
        sql,
        this.#scope,
        this.#channels,
        fenced.map((finished) => ({
          meter: finished.lease.meter.id,
          session: finished.session?.id,
          contactAt: finished.session?.outcome === "done" ? finished.session.endedAt : undefined,
          trustHistory: trustHistoryOf(finished),
          read: finished.read,
        })),
      );
      if (this.#outbox !== undefined) await this.#outbox.announce(sql, fenced.flatMap(announced));
      return kept;
    });
  }

  async #endLeases(sql: Sql, group: readonly Finished[]): Promise<ReadonlyMap<string, Due>> {
    const released = await rows<{ meter_id: number; epoch: string; due_at: number; lane: Lane }>(sql, RELEASE, [
      ...this.#scope.place,
      group.map(({ lease }) => lease.meter.id),
      group.map(({ lease }) => lease.epoch.toString()),
      group.map(({ next }) => dueText(next)),
      group.map(({ next }) => next.lane),
      group.map(({ next }) => next.attempts),
      group.map(({ next }) => next.code ?? null),
      group.map(({ next }) => next.onDemand ?? null),
    ]);
    return new Map(
      released.map(({ meter_id, epoch, due_at: dueAt, lane }) => [`${meter_id} ${epoch}`, { dueAt, lane }]),
    );
  }
}

/**
 * Results that share transactions, one after the other.
 *
 * States: *idle*, *gathering* (until more has ended, or it is time), *writing* (one transaction under way, more may wait).
 */
class Groups {
  readonly #write: (group: readonly Finished[]) => Promise<ReadonlyMap<string, Due>>;
  readonly #gather: Gather | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** Ends the gathering, while there is one. */
  #enough: (() => void) | undefined;

  constructor(write: (group: readonly Finished[]) => Promise<ReadonlyMap<string, Due>>, gather?: Gather) {
    this.#write = write;
    this.#gather = gather;
  }

  add(finished: Finished): Promise<Due> {
    const { promise, resolve, reject } = Promise.withResolvers<Due>();
    this.take([{ finished, resolve, reject }]);
    return promise;
  }

  take(waiting: readonly Waiting[]): void {
    if (waiting.length === 0) return;
    this.#waiting.push(...waiting);
    if (this.#waiting.length >= WORTH_A_TRANSACTION) this.#enough?.();
    this.#running ??= this.#run();
  }

  /** Gives those back that no transaction has begun for. */
  takeOut(is: (finished: Finished) => boolean): readonly Waiting[] {
    const taken = this.#waiting.filter(({ finished }) => is(finished));
    if (taken.length > 0) this.#waiting = this.#waiting.filter((waiting) => !taken.includes(waiting));
    return taken;
  }

  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#gathered();
      await this.#writeOrSplit(this.#waiting.splice(0, MAX_GROUP));
    }
    this.#running = undefined;
  }

  /**
   * What the database does not take of one meter costs that meter alone: the group is halved until it is by itself. A database that
   * is away would take no half either.
   */
  async #writeOrSplit(group: readonly Waiting[]): Promise<void> {
    if (group.length === 0) return;
    try {
      const kept = await this.#write(group.map((waiting) => waiting.finished));
      for (const { finished, resolve, reject } of group) {
        const due = kept.get(fenceOf(finished));
        if (due === undefined) reject(leaseLost(finished));
        else resolve(due);
      }
    } catch (error) {
      if (group.length === 1 || isPassing(error)) {
        for (const { reject } of group) reject(error);
        return;
      }
      const half = Math.ceil(group.length / 2);
      await this.#writeOrSplit(group.slice(0, half));
      await this.#writeOrSplit(group.slice(half));
    }
  }

  async #gathered(): Promise<void> {
    if (this.#gather === undefined || this.#waiting.length >= WORTH_A_TRANSACTION) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#gather(resolve);
    this.#enough = () => {
      cancel();
      resolve();
    };
    await promise;
    this.#enough = undefined;
  }
}

/** Two leases of one meter may end in one group: what is kept is that of the newer epoch alone. */
function fenceOf({ lease: { meter, epoch } }: Finished): string {
  return `${meter.id} ${epoch}`;
}

function trafficOf({ lease: { meter }, session }: Finished): readonly Traffic[] {
  if (session === undefined) return [];
  const { sent, received } = octetCounts(session.ladder);
  return [{ meter, octets: sessionTraffic(sent + received, session.ladder.length), at: session.endedAt }];
}

/** A reading that nobody asked for just now: its session is over, and nobody waits for its rows. */
function isOrdinary({ lease, takeover, command }: Finished): boolean {
  return lease.onDemand === undefined && takeover === undefined && command === undefined;
}

function trustHistoryOf({ lease, trust }: Finished): readonly TrustPeriod[] {
  return trust === undefined ? lease.trustHistory : [...lease.trustHistory, trust];
}

function announced(finished: Finished): readonly Announcement[] {
  const { lease, trust, command, read } = finished;
  const { title } = lease.meter;
  return [
    ...(trust === undefined ? [] : [trustAnnounced(title, trust)]),
    // What nobody has taken after all has become nothing.
    ...(command === undefined || command.state === "dispatched" ? [] : [commandAnnounced(title, command)]),
    ...readingsAnnounced(title, read, trustHistoryOf(finished)),
  ];
}

function leaseLost({ lease }: Finished): HeadEndError {
  return new HeadEndError(
    "lease-lost",
    `the lease ${lease.epoch} of meter ${lease.meter.title} ran out and another one was given; its results are dropped`,
  );
}
