/** The event stream as a browser gives it, typed. One connection a page; the browser resumes it by itself with the id of the last event. */
import type { EventData, EventType } from "@meterkeep/api";

const TYPES = {
  meter: true,
  reading: true,
  takeover: true,
  session: true,
  push: true,
  implausible: true,
  ledger: true,
  import: true,
  warnings: true,
  drill: true,
  clock: true,
  heartbeat: true,
  reset: true,
} as const satisfies Record<EventType, true>;

export interface StreamEvent<K extends EventType = EventType> {
  readonly type: K;
  readonly id: string;
  readonly data: EventData[K];
}

export interface StreamListener {
  heard(event: StreamEvent): void;
  /** The connection broke off; another attempt follows by itself. */
  broken(): void;
  /** The server refused another attempt, or there is none; the stream cannot say why, so ask whether the login has ended. */
  refused(): void;
}

/** Longest pause between attempts after the browser gave up by itself, ms. */
const RETRY_MS = 5_000;

/** Opens the stream after the event `lastEventId` and keeps it open until `signal` says so. */
export function openStream(lastEventId: string, listener: StreamListener, signal: AbortSignal): void {
  let after = lastEventId;
  const connect = () => {
    if (signal.aborted) return;
    const source = new EventSource(`/api/v1/events?after=${encodeURIComponent(after)}`, { withCredentials: true });
    let retry: ReturnType<typeof setTimeout> | undefined;
    for (const type of Object.keys(TYPES) as EventType[]) {
      source.addEventListener(type, (message: MessageEvent<string>) => {
        if (message.lastEventId !== "") after = message.lastEventId;
        listener.heard({ type, id: message.lastEventId, data: JSON.parse(message.data) as EventData[typeof type] });
      });
    }
    source.addEventListener("error", () => {
      listener.broken();
      // A refused connection closes the source for good (503, or no server): this is the one retry of ours.
      if (source.readyState !== EventSource.CLOSED) return;
      retry = setTimeout(connect, RETRY_MS);
      listener.refused();
    });
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(retry);
        source.close();
      },
      { once: true },
    );
  };
  connect();
}
