import type { EventData, EventType, SessionOutcome, SessionPurpose, SupplyState } from "@meterkeep/api";
import type { Pool, PoolClient } from "pg";
import type { Scope } from "../database/scope.ts";
import type { SqlPool } from "../database/sql.ts";
import type { EventLine, EventSink } from "../event/event-hub.ts";
import type { MeterId } from "../inventory/meter.ts";

/** A session that has ended, as far as others than its worker care. */
export interface SessionNews {
  readonly meter: string;
  readonly id: string;
  readonly purpose: SessionPurpose;
  readonly outcome: SessionOutcome;
  readonly milliseconds: number;
  /** Interval values that it brought. */
  readonly intervals: number;
  readonly supply?: SupplyState;
}

/** One thing that a worker tells the server of its island. All of it is for pages and counters: the database has the facts. */
export type News =
  | { readonly kind: "changed"; readonly meters: readonly MeterId[] }
  | { readonly kind: "session"; readonly session: SessionNews }
  | { readonly kind: "other-word"; readonly meter: MeterId }
  | {
      readonly kind: "event";
      readonly type: EventType;
      readonly data: EventData[EventType];
      readonly line?: EventLine;
    };

const CHANNEL = "meterkeep_news";
const COLLECT_MILLISECONDS = 100;
/** PostgreSQL takes less than 8 000 octets a notification. */
const MOST_OCTETS = 7_900;
/** While the database is away, so much is kept; what is older is nobody's news. */
const MOST_KEPT = 2_000;

/** Tells the server over PostgreSQL what happens in a worker: collected, and sent as notifications ten times a second. */
export class NewsSender implements EventSink, AsyncDisposable {
  readonly #pool: SqlPool;
  readonly #place: string;
  readonly #onError: (error: unknown) => void;
  #news: string[] = [];
  #changed = new Set<MeterId>();
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> = Promise.resolve();

  constructor(pool: SqlPool, { place }: Scope, onError: (error: unknown) => void) {
    this.#pool = pool;
    this.#place = place.join(" ");
    this.#onError = onError;
  }

  publish<K extends EventType>(type: K, data: EventData[K], line?: EventLine): void {
    this.send({ kind: "event", type, data, ...(line === undefined ? {} : { line }) });
  }

  send(news: News): void {
    if (news.kind === "changed") for (const meter of news.meters) this.#changed.add(meter);
    else if (this.#news.length < MOST_KEPT) this.#news.push(JSON.stringify(news));
    this.#timer ??= setTimeout(() => void this.flush(), COLLECT_MILLISECONDS);
  }

  /** Sends what has been collected, now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [news, changed] = [this.#news, [...this.#changed]];
    this.#news = [];
    this.#changed = new Set();
    if (changed.length > 0) news.push(...changedTexts(changed));
    if (news.length === 0) return;
    const payloads = payloadsOf(this.#place, news);
    this.#sending = this.#sending
      .then(() => this.#pool.query("select pg_notify($1, p) from unnest($2::text[]) p", [CHANNEL, payloads]))
      .then(() => undefined, this.#onError);
    await this.#sending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
  }
}

/** Numbers are short: five hundred of them are one piece of news. */
function changedTexts(meters: readonly MeterId[]): string[] {
  const texts: string[] = [];
  for (let at = 0; at < meters.length; at += 500)
    texts.push(JSON.stringify({ kind: "changed", meters: meters.slice(at, at + 500) } satisfies News));
  return texts;
}

/** `utility island` and a line a piece of news, as many as fit; one that fits nowhere is not told. */
export function payloadsOf(place: string, news: readonly string[]): string[] {
  const payloads: string[] = [];
  let [payload, octets] = [place, Buffer.byteLength(place)];
  for (const text of news) {
    const more = Buffer.byteLength(text) + 1;
    if (Buffer.byteLength(place) + more > MOST_OCTETS) continue;
    if (octets + more > MOST_OCTETS) {
      payloads.push(payload);
      [payload, octets] = [place, Buffer.byteLength(place)];
    }
    payload += `\n${text}`;
    octets += more;
  }
  return octets > Buffer.byteLength(place) ? [...payloads, payload] : payloads;
}

const PAUSE_MILLISECONDS = { first: 250, ceiling: 5_000 } as const;

/** Hears what workers of the place tell, until it is disposed of. A connection that breaks is made anew. */
export function listenForNews(
  pool: Pick<Pool, "connect">,
  { place }: Scope,
  onNews: (news: News) => void,
  onError: (error: unknown) => void,
): AsyncDisposable {
  const head = place.join(" ");
  let client: PoolClient | undefined;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const hear = (payload: string | undefined): void => {
    const [from, ...texts] = (payload ?? "").split("\n");
    if (from !== head) return;
    for (const text of texts) {
      try {
        onNews(JSON.parse(text) as News);
      } catch (error) {
        onError(error);
      }
    }
  };
  const again = (milliseconds: number): void => {
    if (ended) return;
    timer = setTimeout(() => {
      attempt = connect().catch((error: unknown) => {
        onError(error);
        again(Math.min(milliseconds * 2, PAUSE_MILLISECONDS.ceiling));
      });
    }, milliseconds);
  };
  const connect = async (): Promise<void> => {
    const next = await pool.connect();
    try {
      next.on("notification", ({ payload }) => hear(payload));
      next.on("error", (error) => {
        if (client !== next) return;
        client = undefined;
        next.release(true);
        onError(error);
        again(PAUSE_MILLISECONDS.first);
      });
      await next.query(`listen ${CHANNEL}`);
    } catch (error) {
      next.release(true);
      throw error;
    }
    client = next;
  };
  let attempt = connect().catch((error: unknown) => {
    onError(error);
    again(PAUSE_MILLISECONDS.first);
  });
  return {
    [Symbol.asyncDispose]: async () => {
      ended = true;
      clearTimeout(timer);
      await attempt;
      client?.release(true);
      client = undefined;
    },
  };
}
