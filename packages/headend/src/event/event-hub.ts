import type { EventData, EventType, RecentEvent } from "@meterkeep/api";

/** How an event stands in the list of recent ones. */
export interface EventLine {
  readonly sentence: string;
  readonly meter?: string;
  readonly session?: string;
  readonly evidence?: string;
  readonly severity?: RecentEvent["severity"];
}

/** Where events go: pages that watch, and the list of recent ones. */
export interface EventSink {
  /** Tells everybody who watches; with a `line` it is listed too. */
  publish<K extends EventType>(type: K, data: EventData[K], line?: EventLine): void;
}

/** An event as it travels. */
export interface SentEvent {
  readonly id: string;
  readonly type: EventType;
  /** JSON, made once for all watchers. */
  readonly data: string;
}

/** Somebody who watches. It must not block. */
export type EventWatcher = (event: SentEvent) => void;

export interface EventHubOptions {
  /** Makes ids of this run different from those of any other. */
  readonly run: string;
  /** How many events a watcher may have missed and still resume. */
  readonly keptEvents: number;
  readonly keptLines: number;
  now(): Date;
}

/** Who has been away for so long loads anew: until somebody watches again, events that are not listed cost nothing. */
const UNWATCHED_MILLISECONDS = 60_000;

/**
 * Hands events to watchers and remembers the last ones, so that a stream that broke off resumes where it was. Bounded:
 * what is older than `keptEvents` is forgotten, and who comes back later than that starts anew.
 */
export class EventHub implements EventSink {
  readonly #options: EventHubOptions;
  readonly #watchers = new Set<EventWatcher>();
  readonly #events: SentEvent[] = [];
  readonly #lines: RecentEvent[] = [];
  #sequence = 0;
  /** Who saw no more than this does not know what was left out. */
  #leftOutAfter = -1;
  /** When the last watcher left. */
  #leftAt: number;

  constructor(options: EventHubOptions) {
    this.#options = options;
    this.#leftAt = options.now().getTime();
  }

  /** Id of the last event. */
  get lastId(): string {
    return this.#id(this.#sequence);
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  publish<K extends EventType>(type: K, data: EventData[K], line?: EventLine): void {
    if (line === undefined && this.#isUnwatched()) {
      this.leaveOut();
      return;
    }
    this.#sequence += 1;
    const id = this.#id(this.#sequence);
    const event = { id, type, data: JSON.stringify(data) };
    keep(this.#events, event, this.#options.keptEvents);
    if (line !== undefined) {
      const { severity = "info", ...rest } = line;
      keep(
        this.#lines,
        { id, at: this.#options.now().toISOString(), type, severity, ...rest },
        this.#options.keptLines,
      );
    }
    for (const watcher of this.#watchers) watcher(event);
  }

  /** Something was not published, because nobody watches: who comes back from before starts anew. */
  leaveOut(): void {
    this.#leftOutAfter = this.#sequence;
  }

  /** The newest lines first. */
  recent(limit: number): readonly RecentEvent[] {
    return this.#lines.slice(-limit).reverse();
  }

  /** What came after the event `id`, or undefined when that is not known any more. */
  since(id: string): readonly SentEvent[] | undefined {
    const [run, text] = id.split(".");
    const sequence = Number(text);
    if (run !== this.#options.run || !Number.isSafeInteger(sequence) || sequence > this.#sequence) return undefined;
    if (sequence <= this.#leftOutAfter) return undefined;
    const missed = this.#sequence - sequence;
    return missed > this.#events.length ? undefined : missed === 0 ? [] : this.#events.slice(-missed);
  }

  /** Watches from now on; the result ends it. */
  watch(watcher: EventWatcher): () => void {
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
      this.#leftAt = this.#options.now().getTime();
    };
  }

  #isUnwatched(): boolean {
    return this.#watchers.size === 0 && this.#options.now().getTime() - this.#leftAt > UNWATCHED_MILLISECONDS;
  }

  #id(sequence: number): string {
    return `${this.#options.run}.${sequence}`;
  }
}

/** Appends; drops from the front in strokes, so that keeping costs nothing an event. */
function keep<T>(list: T[], item: T, limit: number): void {
  list.push(item);
  if (list.length > limit * 2) list.splice(0, list.length - limit);
}
