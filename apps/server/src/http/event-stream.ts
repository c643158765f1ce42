import type { EventHub, Login, SentEvent } from "@meterkeep/headend";
import type { FastifyReply, FastifyRequest } from "fastify";
import { loginOf } from "./login.ts";
import { ProblemError } from "./problem-error.ts";

const HEARTBEAT_MILLISECONDS = 10_000;
/** A watcher that does not read this many octets is cut off; it comes back and resumes. */
const MAX_UNREAD_BYTES = 1024 * 1024;

/** How many streams there may be at once. */
export interface StreamLimits {
  readonly all: number;
  /** Of those, kept free of machines' tokens: the pages of people. */
  readonly forPeople: number;
  /** Of one token. */
  readonly perToken: number;
}

/** Server-sent events for watchers: resumed by `Last-Event-ID`, with a heartbeat, and bounded in number and buffers. */
export class EventStreams {
  readonly #hub: EventHub;
  readonly #limits: StreamLimits;
  /** How each is closed, who watches, and whether that login is still one. */
  readonly #open = new Map<() => void, { readonly login: Login; readonly isStillIn: () => Promise<boolean> }>();

  constructor(hub: EventHub, limits: StreamLimits) {
    this.#hub = hub;
    this.#limits = limits;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Takes the connection over until the watcher leaves. @throws ProblemError `too-many-streams`. */
  serve(request: FastifyRequest, reply: FastifyReply, after: string | undefined): void {
    const login = loginOf(request);
    this.#refuseTooMany(login);
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
    const heartbeat = setInterval(() => {
      raw.write(heartbeatFrame());
      void this.#endIfOut(close);
    }, HEARTBEAT_MILLISECONDS);
    const end = (): void => {
      clearInterval(heartbeat);
      stopWatching();
      this.#open.delete(close);
    };
    const close = (): void => {
      raw.end();
      end();
    };
    this.#open.set(close, { login, isStillIn: request.isStillIn });
    raw.on("error", end);
    raw.on("close", end);
    raw.write("retry: 2000\n\n");
    this.#catchUp(last, write);
  }

  /** Ends the streams of somebody whose login has ended. */
  endOf(id: string): void {
    for (const [close, { login }] of [...this.#open]) if (login.id === id) close();
  }

  /** Ends the streams of every login that is none any more: withdrawn, signed out, expired. Each is asked at its heartbeat anyway. */
  async endOfThoseOut(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((close) => this.#endIfOut(close)));
  }

  /** Ends all streams: the server is closing. */
  close(): void {
    for (const close of [...this.#open.keys()]) close();
  }

  async #endIfOut(close: () => void): Promise<void> {
    const open = this.#open.get(close);
    // A database that does not answer is no login that ended.
    if (open !== undefined && !(await open.isStillIn().catch(() => true))) close();
  }

  /** A machine that takes what it can get must not cost people the page on which they would see it. */
  #refuseTooMany(login: Login): void {
    const { all, forPeople, perToken } = this.#limits;
    if (this.#open.size >= all)
      throw new ProblemError("too-many-streams", `${all} streams are open; close a page and try again`);
    if (login.kind !== "machine") return;
    const machines = [...this.#open.values()].filter((open) => open.login.kind === "machine");
    if (machines.filter((open) => open.login.id === login.id).length >= perToken)
      throw new ProblemError("too-many-streams", `this token has ${perToken} streams open; close one and try again`);
    if (machines.length >= all - forPeople)
      throw new ProblemError("too-many-streams", `machines have ${all - forPeople} streams open; try again later`);
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
