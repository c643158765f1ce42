import type { EventHub, SentEvent } from "@meterkeep/headend";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ProblemError } from "./problem-error.ts";

const HEARTBEAT_MILLISECONDS = 10_000;
/** A watcher that does not read this many octets is cut off; it comes back and resumes. */
const MAX_UNREAD_BYTES = 1024 * 1024;

/** Server-sent events for watchers: resumed by `Last-Event-ID`, with a heartbeat, and bounded in number and buffers. */
export class EventStreams {
  readonly #hub: EventHub;
  readonly #maxStreams: number;
  readonly #open = new Set<() => void>();

  constructor(hub: EventHub, maxStreams: number) {
    this.#hub = hub;
    this.#maxStreams = maxStreams;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Takes the connection over until the watcher leaves. @throws ProblemError `too-many-streams`. */
  serve(request: FastifyRequest, reply: FastifyReply, after: string | undefined): void {
    if (this.#open.size >= this.#maxStreams)
      throw new ProblemError("too-many-streams", `${this.#maxStreams} streams are open; close a page and try again`);
    const header = request.headers["last-event-id"];
    const last = typeof header === "string" && header !== "" ? header : after;
    const headers = reply.getHeaders();
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...headers,
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    } as Record<string, string>);
    const write = (event: SentEvent): void => {
      if (raw.writableLength > MAX_UNREAD_BYTES) raw.destroy();
      else raw.write(frame(event));
    };
    const stopWatching = this.#hub.watch(write);
    const heartbeat = setInterval(() => raw.write(heartbeatFrame()), HEARTBEAT_MILLISECONDS);
    const end = (): void => {
      clearInterval(heartbeat);
      stopWatching();
      this.#open.delete(close);
    };
    const close = (): void => {
      raw.end();
      end();
    };
    this.#open.add(close);
    raw.on("error", end);
    raw.on("close", end);
    raw.write("retry: 2000\n\n");
    this.#catchUp(last, write);
  }

  /** Ends all streams: the server is closing. */
  close(): void {
    for (const close of [...this.#open]) close();
  }

  #catchUp(last: string | undefined, write: (event: SentEvent) => void): void {
    if (last === undefined) return;
    const missed = this.#hub.since(last);
    if (missed === undefined)
      write({ id: this.#hub.lastId, type: "reset", data: JSON.stringify({ reason: "events were missed: load anew" }) });
    else for (const event of missed) write(event);
  }
}

function frame(event: SentEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${event.data}\n\n`;
}

/** Without an id: a heartbeat is nothing to resume after. */
function heartbeatFrame(): string {
  return `event: heartbeat\ndata: ${JSON.stringify({ at: new Date().toISOString() })}\n\n`;
}
