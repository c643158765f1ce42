/**
 * What the page knows from the stream, outside React: connection state, town clock, newest event lines, and lines of meters on their way into the overview.
 *
 * States: closed until `open`; then as in `live-state.ts`. Events are gathered and handed on together, at most five times a second, so that a burst of two hundred
 * readings costs one drawing.
 */
import type { MeterSummary, Overview, RecentEvent } from "@meterkeep/api";
import type { QueryClient } from "@tanstack/react-query";
import {
  drillQuery,
  type LedgerSource,
  overviewQuery,
  plausibilityQuery,
  pushSourcesQuery,
  SHOWN_WHEN_ASKED,
  stillSignedInQuery,
} from "../api/queries.ts";
import { eventLine, joinLines } from "./event-line.ts";
import { INITIAL_LIVE_STATE, type LiveEvent, type LiveState, step } from "./live-state.ts";
import { mergeMeters, mergeWarnings, standsOutside } from "./merge.ts";
import { PerKeyRate } from "./rate.ts";
import { openStream, type StreamEvent } from "./stream.ts";
import { type ClockBase, clockBase } from "./town-clock.ts";

export interface LiveSnapshot extends LiveState {
  readonly clock: ClockBase | undefined;
  readonly lines: readonly RecentEvent[];
  /** Newest sequence of each ledger that the stream told of. */
  readonly ledgerHeads: Readonly<Partial<Record<LedgerSource, number>>>;
}

const FLUSH_MS = 200;
/** Longer in a large town, where a drawing costs more and no eye follows a single home: 5 000 meters are drawn once a second. */
const FLUSH_MS_PER_METER = 0.2;
const CHECK_MS = 5_000;
const LINES_KEPT = 400;
/** No answer is read again more often than this, however much happens to it. */
const AGAIN_MS = 2_000;

export class LiveStore {
  readonly #queries: QueryClient;
  #meters = 0;
  readonly #listeners = new Set<() => void>();
  #snapshot: LiveSnapshot = { ...INITIAL_LIVE_STATE, clock: undefined, lines: [], ledgerHeads: {} };
  /** Answers that events have made old; those on the page are read again. */
  readonly #old = new PerKeyRate(
    (key) => void this.#queries.invalidateQueries({ queryKey: JSON.parse(key) as string[] }),
    AGAIN_MS,
  );
  #pending: StreamEvent[] = [];
  #flush: ReturnType<typeof setTimeout> | undefined;
  #check: ReturnType<typeof setInterval> | undefined;
  #abort: AbortController | undefined;
  /** The clock of the last overview that was read; lines merged into it since do not bring another. */
  #read: ClockBase | undefined;

  constructor(queries: QueryClient) {
    this.#queries = queries;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): LiveSnapshot => this.#snapshot;

  /** Takes the town's clock from an overview that was read, and opens the stream where the first one ended. */
  open(overview: Overview): void {
    this.#meters = overview.meters.length;
    const clock = clockBase(overview.clock, Date.parse(overview.clock.wallNow));
    const isNew = clock.townMs !== this.#read?.townMs || clock.simulated !== this.#read.simulated;
    this.#read = clock;
    if (isNew) {
      this.#snapshot = { ...this.#snapshot, clock: { ...clock, heardAt: Date.now() } };
      this.#notify();
    }
    if (this.#abort !== undefined) return;
    this.#abort = new AbortController();
    this.#snapshot = { ...this.#snapshot, heardAt: Date.now() };
    openStream(
      overview.lastEventId,
      {
        heard: (event) => this.#take(event),
        broken: () => this.#advance({ kind: "broken" }),
        // A login that ended is noticed, as with every other answer, by who looks at the answers (main.tsx).
        refused: () => void this.#queries.prefetchQuery(stillSignedInQuery),
      },
      this.#abort.signal,
    );
    // Silence makes no event: only a look at the clock notices it. Nothing is asked of the server.
    this.#check = setInterval(() => this.#advance({ kind: "checked", at: Date.now() }), CHECK_MS);
  }

  close(): void {
    this.#abort?.abort();
    this.#abort = undefined;
    clearInterval(this.#check);
    clearTimeout(this.#flush);
    this.#old.close();
    this.#flush = undefined;
    this.#pending = [];
  }

  #take(event: StreamEvent): void {
    const wasLost = this.#snapshot.connection === "lost";
    this.#advance({ kind: "heard", at: Date.now() });
    if (event.type === "heartbeat") {
      if (wasLost) this.#readAgain();
      return;
    }
    this.#pending.push(event);
    this.#flush ??= setTimeout(() => this.#hand(), FLUSH_MS + this.#meters * FLUSH_MS_PER_METER);
  }

  /** What happened meanwhile is not known: every answer is read again but those that change only when somebody asks ({@link SHOWN_WHEN_ASKED}). */
  #readAgain(): void {
    void this.#queries.invalidateQueries({ predicate: ({ meta }) => meta !== SHOWN_WHEN_ASKED });
  }

  #advance(event: LiveEvent): void {
    const next = step(this.#snapshot, event);
    if (next === this.#snapshot) return;
    // A heartbeat alone changes nothing on the page: `heardAt` is read when the connection is lost.
    const visible = next.connection !== this.#snapshot.connection;
    this.#snapshot = { ...this.#snapshot, ...next };
    if (visible) this.#notify();
  }

  #hand(): void {
    this.#flush = undefined;
    const events = this.#pending;
    this.#pending = [];
    const meters = new Map<string, MeterSummary>();
    const kept = this.#keptKeys();
    const touched = new Set<string>();
    const lines: RecentEvent[] = [];
    let { clock, ledgerHeads } = this.#snapshot;
    for (const event of events) {
      const line = eventLine(event.type, event.data, event.id);
      if (line !== undefined) lines.push(line);
      if (is(event, "meter")) meters.set(event.data.systemTitle, event.data);
      else if (is(event, "clock"))
        clock = clockBase({ simulated: clock?.simulated ?? false, ...event.data }, Date.now());
      else if (is(event, "reset")) this.#readAgain();
      else if (is(event, "drill")) this.#drill(event);
      else if (is(event, "warnings"))
        this.#queries.setQueryData(
          overviewQuery.queryKey,
          (overview) => overview && mergeWarnings(overview, event.data),
        );
      else {
        if (is(event, "ledger")) ledgerHeads = { ...ledgerHeads, [event.data.source]: event.data.sequence };
        for (const key of keysTouchedBy(event).map((parts) => JSON.stringify(parts)))
          if (kept.has(key)) touched.add(key);
        for (const key of kept) if (isOfCommands(event, key)) touched.add(key);
      }
    }
    this.#snapshot = {
      ...this.#snapshot,
      clock,
      ledgerHeads,
      lines: joinLines(lines.reverse(), this.#snapshot.lines, LINES_KEPT),
    };
    this.#queries.setQueryData(overviewQuery.queryKey, (overview) =>
      overview === undefined ? undefined : mergeMeters(overview, meters, new Date().toISOString()),
    );
    // Only what is on the page is read again; the rest is marked and read when it is opened.
    for (const key of touched) this.#old.ask(key);
    // The page was opened while the town was being imported: whatever happens may have brought its grid.
    const overview = this.#queries.getQueryData(overviewQuery.queryKey);
    if (overview !== undefined && standsOutside(overview, meters.values()))
      for (const { queryKey } of [overviewQuery, pushSourcesQuery]) this.#old.ask(JSON.stringify(queryKey));
    this.#notify();
  }

  /** Answers at hand, by the parts of their keys that events name: of five thousand meters the page has looked at few. */
  #keptKeys(): ReadonlySet<string> {
    return new Set(
      this.#queries
        .getQueryCache()
        .getAll()
        .map(({ queryKey }) => JSON.stringify(queryKey.slice(0, 2))),
    );
  }

  /** Counts move at once; the report with its items is read again at the end. */
  #drill({ data }: StreamEvent<"drill">): void {
    const { drill, state, asked, sealed, refused, dark, readBack, onItsWay } = data;
    this.#queries.setQueryData(drillQuery(drill).queryKey, (report) =>
      report === undefined
        ? undefined
        : { ...report, state: state as typeof report.state, asked, sealed, refused, dark, readBack, onItsWay },
    );
    if (state !== "done" && state !== "failed" && state !== "reading-back") return;
    void this.#queries.invalidateQueries({ queryKey: ["drills"] });
    if (state !== "reading-back" || readBack === 0)
      void this.#queries.invalidateQueries({ queryKey: ["drill", drill] });
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

function is<K extends StreamEvent["type"]>(event: StreamEvent, type: K): event is StreamEvent<K> {
  return event.type === type;
}

/** Answers about commands and people: what people decide is in a ledger, and what meters did in a session. */
const OF_DECISIONS = /^\["(campaigns|campaign|quarantine|rules|blast|people)"/;
const OF_SESSIONS = /^\["campaign"/;

function isOfCommands(event: StreamEvent, key: string): boolean {
  if (is(event, "ledger")) return event.data.source === "head-end" && OF_DECISIONS.test(key);
  return is(event, "session") && OF_SESSIONS.test(key);
}

/** Which kept answers an event makes old. */
function keysTouchedBy(event: StreamEvent): readonly (readonly string[])[] {
  if (is(event, "reading"))
    return [
      ["profile", event.data.meter],
      ["readings", event.data.meter],
    ];
  if (is(event, "takeover")) return [["meter", event.data.meter]];
  if (is(event, "session"))
    return [
      ["sessions", event.data.meter],
      ["session", event.data.id],
      ["meter", event.data.meter],
    ];
  // A shipment brings meters, a grid or a refusal that stands among the warnings; who was a stranger may be one of its meters.
  if (is(event, "import")) return [overviewQuery.queryKey, pushSourcesQuery.queryKey];
  if (is(event, "implausible"))
    return [plausibilityQuery.queryKey, ...(event.data.meter === undefined ? [] : [["disputes", event.data.meter]])];
  // A push that belongs to no meter came from somebody new or unknown.
  if (is(event, "push") && event.data.meter === undefined) return [["push-sources"]];
  return [];
}
