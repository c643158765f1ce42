import { randomUUID } from "node:crypto";
import type { DrillItem, DrillReport, DrillState } from "@meterkeep/api";
import { type EventHub, firstRow, HeadEndError, rows, type Scope, type Sql } from "@meterkeep/headend";
import { ProblemError } from "../http/problem-error.ts";
import { parseDrillLine } from "./drill-line.ts";

/** What reading a home's supply back gave. */
export interface SupplyRead {
  readonly meter: string;
  readonly supply: "connected" | "disconnected" | "unknown";
  readonly session: string | undefined;
  /** It is still being taken over, or has not come from the depot yet: it is read as soon as it answers, and told again. */
  readonly onItsWay?: true;
}

export interface DrillsPorts {
  readonly sql: Sql;
  readonly scope: Scope;
  readonly hub: Pick<EventHub, "publish">;
  /** Asks for the drill process; undefined where nobody can start one. */
  readonly launch: ((drill: string) => void) | undefined;
  /** Simulated homes, by system title: the only targets there are. */
  targets(): Promise<readonly string[]>;
  /** Throws the kill switch for a drill, so many milliseconds after its first act was seen; gives how long the custodian took. */
  freeze(drill: string, by: string, sinceFirstAct: () => number): Promise<number>;
  /** Reads the supply of homes back from the meters themselves; who is on its way is told at once, and later again. */
  readBack(homes: readonly string[], onRead: (read: SupplyRead) => void): Promise<void>;
  now(): number;
  onError(error: unknown): void;
}

type Running = { -readonly [K in keyof DrillReport]: DrillReport[K] };

/** The kill switch of a drill: it is thrown when the thief's first act is seen, and once. */
interface Cut {
  readonly by: string;
  thrown: Promise<void> | undefined;
}

/**
 * Drills: a thief's process asks the custodian for everything, and the meters are read afterwards.
 *
 * States of one: *starting* (the process was asked for), *asking* (it has begun), *reading-back* (it has asked for
 * everything and the homes are being read), *done*, *failed*. One runs at a time.
 */
export class Drills {
  readonly #ports: DrillsPorts;
  #running: Running | undefined;
  #targets: ReadonlySet<string> = new Set();
  #cut: Cut | undefined;

  constructor(ports: DrillsPorts) {
    this.#ports = ports;
  }

  /** Closes what an earlier process left open. */
  async recover(): Promise<void> {
    const { sql, scope } = this.#ports;
    await sql.query(
      `update drills set state = 'failed', ended_at = now(),
         report = report || '{"state": "failed", "failure": "the server was restarted while it ran"}'
       where utility_id = $1 and island_id = $2 and state not in ('done', 'failed')`,
      [...scope.place],
    );
  }

  /** @throws ProblemError `drill-running`, `supervisor-unavailable`. */
  refuseSecond(): void {
    if (this.#running !== undefined)
      throw new ProblemError("drill-running", "one drill at a time: wait for its report");
    if (this.#ports.launch === undefined)
      throw new ProblemError(
        "supervisor-unavailable",
        "drills run under `npx meterkeep start`, which starts their process",
      );
  }

  /** Starts one. With `freezes` it throws the kill switch for real, which two people thaw. @returns its id. */
  async start(by: string, freezes = false): Promise<string> {
    this.refuseSecond();
    this.#cut = freezes ? { by, thrown: undefined } : undefined;
    const { sql, scope, launch, now, targets } = this.#ports;
    const id = randomUUID();
    const startedAt = new Date(now()).toISOString();
    this.#running = {
      id,
      state: "starting",
      startedAt,
      principal: "head-end",
      asked: 0,
      sealed: 0,
      refused: 0,
      dark: 0,
      readBack: 0,
      sentence: "The drill is starting.",
      items: [],
    };
    this.#targets = new Set(await targets());
    await sql.query(
      `insert into drills (utility_id, island_id, drill_id, state, started_by, started_at, report)
       values ($1, $2, $3, 'starting', $4, $5, $6)`,
      [...scope.place, id, by, startedAt, JSON.stringify(this.#running)],
    );
    launch?.(id);
    this.#tell(this.#running);
    return id;
  }

  /** Takes one line of the drill process. */
  line(drill: string, text: string): void {
    const running = this.#running;
    const line = parseDrillLine(text);
    if (running?.id !== drill || line === undefined || running.state === "reading-back") return;
    if (line.type === "begin") {
      running.state = "asking";
      running.principal = line.principal;
    } else if (line.type === "item") this.#take(running, line.item);
    this.#tell(running);
  }

  /** The drill process has ended: now the meters say what it has brought about. */
  async ended(drill: string, status: number | null, message?: string): Promise<void> {
    const running = this.#running;
    if (running?.id !== drill) return;
    try {
      if (this.#cut !== undefined) await this.#frozen(this.#cut);
      if (status !== 0) throw new Error(message ?? `the drill process ended with ${status ?? "a signal"}`);
      await this.#readBack(running);
      await this.#finish(running, "done");
    } catch (error) {
      running.failure = error instanceof Error ? error.message : String(error);
      await this.#finish(running, "failed");
    }
  }

  /** A drill's report, running or not. */
  async report(id: string): Promise<DrillReport | undefined> {
    if (this.#running?.id === id) return this.#running;
    const { sql, scope } = this.#ports;
    const row = await firstRow<{ report: DrillReport }>(
      sql,
      "select report from drills where utility_id = $1 and island_id = $2 and drill_id = $3",
      [...scope.place, id],
    );
    return row?.report;
  }

  /** Newest first, without their items. */
  async list(): Promise<readonly Omit<DrillReport, "items">[]> {
    const { sql, scope } = this.#ports;
    const found = await rows<{ report: DrillReport }>(
      sql,
      `select report - 'items' as report from drills where utility_id = $1 and island_id = $2
       order by started_at desc limit 50`,
      [...scope.place],
    );
    return found.map(({ report }) => (report.id === this.#running?.id ? this.#running : report));
  }

  #take(running: Running, item: DrillItem): void {
    if (item.meter !== undefined && !this.#targets.has(item.meter))
      throw new HeadEndError("drill-not-simulated", `${item.meter} is no simulated home: the drill must not touch it`);
    running.items.push(item);
    running.asked += 1;
    if (item.outcome === "sealed") running.sealed += 1;
    if (item.outcome === "refused") running.refused += 1;
    running.sentence = sentenceOf(running);
    if (this.#cut !== undefined && this.#cut.thrown === undefined) {
      this.#cut.thrown = this.#throw(running, this.#cut);
      // It is waited for at the end, which says why it failed.
      this.#cut.thrown.catch(() => undefined);
    }
  }

  /** The first act was seen: from here on the clock runs that says how long a cut takes. */
  async #throw(running: Running, { by }: Cut): Promise<void> {
    const { freeze, now } = this.#ports;
    const seenAt = now();
    const since = (): number => now() - seenAt;
    const freezeMilliseconds = await freeze(running.id, by, since);
    running.cut = { freezeMilliseconds, afterFirstActMilliseconds: since() };
    running.sentence = sentenceOf(running);
    this.#tell(running);
  }

  async #frozen({ thrown }: Cut): Promise<void> {
    if (thrown === undefined) throw new Error("the thief asked for nothing, and nothing was frozen");
    await thrown;
  }

  async #readBack(running: Running): Promise<void> {
    running.state = "reading-back";
    this.#tell(running);
    const byMeter = new Map(running.items.flatMap((item) => (item.meter === undefined ? [] : [[item.meter, item]])));
    await this.#ports.readBack([...byMeter.keys()], (read) => {
      const item = byMeter.get(read.meter);
      if (item === undefined || !count(running, item, read)) return;
      running.sentence = sentenceOf(running);
      if (running.state === "done") void this.#late(running);
      else this.#tell(running);
    });
  }

  /** A meter that was on its way when the drill ended has been read. */
  async #late(running: Running): Promise<void> {
    const { sql, scope, onError } = this.#ports;
    try {
      await sql.query("update drills set report = $4 where utility_id = $1 and island_id = $2 and drill_id = $3", [
        ...scope.place,
        running.id,
        JSON.stringify(running),
      ]);
      this.#tell(running);
    } catch (error) {
      onError(error);
    }
  }

  async #finish(running: Running, state: DrillState): Promise<void> {
    const { sql, scope, now } = this.#ports;
    running.state = state;
    running.endedAt = new Date(now()).toISOString();
    running.sentence = sentenceOf(running);
    await sql.query(
      `update drills set state = $4, ended_at = $5, report = $6
       where utility_id = $1 and island_id = $2 and drill_id = $3`,
      [...scope.place, running.id, state, running.endedAt, JSON.stringify(running)],
    );
    this.#tell(running);
    this.#running = undefined;
  }

  #tell(running: Running): void {
    const { id: drill, state, asked, sealed, refused, dark, readBack, onItsWay = 0, sentence } = running;
    const isEnd = state === "done" || state === "failed";
    this.#ports.hub.publish(
      "drill",
      { drill, state, asked, sealed, refused, dark, readBack, onItsWay },
      ...(isEnd ? ([{ sentence, severity: sealed + dark > 0 ? "warning" : "notice" }] as const) : []),
    );
  }
}

function sentenceOf(report: Running): string {
  const { asked, sealed, dark, readBack, onItsWay = 0, state, cut } = report;
  const frozen = cut === undefined ? "" : `; frozen ${cut.afterFirstActMilliseconds} ms after the first act`;
  const counts = `${asked} asked, ${sealed} sealed, ${dark} ${dark === 1 ? "home" : "homes"} dark${frozen}`;
  if (state === "failed") return `${counts}; the drill failed.`;
  if (state !== "done") return counts;
  const away = onItsWay === 0 ? "" : `, ${onItsWay} on the way into service and asked then`;
  return `${counts} (${readBack} read back${away}).`;
}

/** Counts what reading a home back gave. @returns whether it says anything new. */
function count(running: Running, item: DrillItem, { supply, session, onItsWay }: SupplyRead): boolean {
  const wasOnItsWay = item.onItsWay === true;
  if (item.supply !== undefined && !wasOnItsWay) return false;
  item.supply = supply;
  if (session !== undefined) item.supplySession = session;
  if (onItsWay === true) item.onItsWay = true;
  else delete item.onItsWay;
  running.onItsWay = (running.onItsWay ?? 0) + Number(onItsWay === true) - Number(wasOnItsWay);
  if (supply !== "unknown") running.readBack += 1;
  if (supply === "disconnected") running.dark += 1;
  return true;
}
