import { Readable } from "node:stream";
import { EXPORT_FORMATS, type ExportQuery, type MeterEventQuery, type ReadingWindow } from "@meterkeep/api";
import {
  EVENTS,
  type ExportWindow,
  evidenceView,
  exportAs,
  exportAsTable,
  INTERVALS,
  loggedEvents,
  profileReadings,
  qualityReadings,
  REGISTERS,
  registerReadings,
} from "@meterkeep/headend";
import type { FastifyReply } from "fastify";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";

const DEFAULT_LIMIT = 1000;

const DEFAULT_EVENTS = 200;

type Served =
  | "readings"
  | "profile"
  | "meterEvents"
  | "loggedEvents"
  | "powerQuality"
  | "evidence"
  | "pushSources"
  | "exportIntervals"
  | "exportRegisters"
  | "exportEvents";

/** Readings, what they rest on, and who pushes. */
export function readingHandlers(context: Context): Pick<Handlers, Served> {
  const { pool, scope, inventory } = context;
  const exports = new Exports(context);
  return {
    readings: async ({ params, query }) =>
      registerReadings(pool, scope, await inventory.get(params.systemTitle), windowOf(query)),
    profile: async ({ params, query }) =>
      profileReadings(pool, scope, await inventory.get(params.systemTitle), windowOf(query)),
    meterEvents: async ({ params, query }) => {
      const { id } = await inventory.get(params.systemTitle);
      return { events: [...(await loggedEvents(pool, scope, { ...eventFilter(query), meter: id }))] };
    },
    loggedEvents: async ({ query }) => ({ events: [...(await loggedEvents(pool, scope, eventFilter(query)))] }),
    powerQuality: async ({ params, query: { from, to, limit } }) =>
      qualityReadings(pool, scope, await inventory.get(params.systemTitle), {
        from: timeOf("from", from),
        to: timeOf("to", to),
        limit: limit ?? DEFAULT_LIMIT,
      }),
    exportIntervals: async ({ query, reply }) =>
      exports.answer("intervals", query, reply, (window) => exportAs(query.format, INTERVALS, pool, scope, window)),
    exportRegisters: async ({ query, reply }) =>
      exports.answer("registers", query, reply, (window) => exportAs(query.format, REGISTERS, pool, scope, window)),
    exportEvents: async ({ query, reply }) =>
      exports.answer("events", query, reply, (window) => exportAsTable(query.format, EVENTS, pool, scope, window)),
    evidence: async ({ params }) => {
      const found = await evidenceView(pool, scope, params.hash);
      if (found === undefined) throw new ProblemError("evidence-unknown", `no reading rests on ${params.hash}`);
      return found;
    },
    pushSources: async () => ({ sources: [...(await context.pushSources.list())] }),
  };
}

const MOST_EXPORTS = 2;

/** Exports under way: each reads the whole island, so there are few at once. */
class Exports {
  readonly #context: Pick<Context, "inventory">;
  #running = 0;

  constructor(context: Pick<Context, "inventory">) {
    this.#context = context;
  }

  /** Answers with a stream that ends with the export, or with the caller's patience. */
  async answer(
    name: string,
    { format, from, to, trust, meter }: ExportQuery,
    reply: FastifyReply,
    begin: (window: ExportWindow) => AsyncIterable<string | Uint8Array>,
  ): Promise<void> {
    const { inventory } = this.#context;
    const window = {
      from: requiredTime("from", from).getTime(),
      to: requiredTime("to", to).getTime(),
      trust: trust ?? "trusted",
      ...(meter === undefined ? {} : { meter: (await inventory.get(meter)).id }),
    } as const;
    if (window.from > window.to) throw new ProblemError("body-invalid", "querystring/to: it is before from");
    if (this.#running >= MOST_EXPORTS)
      throw new ProblemError("too-many-exports", `${MOST_EXPORTS} exports are running; try again when one has ended`);
    this.#running += 1;
    const octets = Readable.from(begin(window), { objectMode: false });
    octets.once("close", () => {
      this.#running -= 1;
    });
    const suffix = format === "cim" ? "xml" : format;
    void reply
      .type(EXPORT_FORMATS[format])
      .header("content-disposition", `attachment; filename="${name}.${suffix}"`)
      .send(octets);
  }
}

function requiredTime(name: string, text: string): Date {
  return timeOf(name, text) as Date;
}

function windowOf(query: ReadingWindow): Parameters<typeof registerReadings>[3] {
  return {
    from: timeOf("from", query.from),
    to: timeOf("to", query.to),
    trust: query.trust ?? "trusted",
    limit: query.limit ?? DEFAULT_LIMIT,
  };
}

/** RFC 3339 knows leap seconds, and no clock here shows them. */
function timeOf(name: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const time = new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new ProblemError("body-invalid", `querystring/${name}: no clock shows ${text}`);
  return time;
}

function eventFilter({ from, to, category, severity, limit }: MeterEventQuery) {
  return {
    from: timeOf("from", from),
    to: timeOf("to", to),
    category,
    severity: severity ?? 0,
    limit: limit ?? DEFAULT_EVENTS,
  };
}
