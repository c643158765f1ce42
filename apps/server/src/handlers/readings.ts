import { Readable } from "node:stream";
import { EXPORT_FORMATS, type ExportQuery, type MeterEventQuery, type ReadingWindow } from "@meterkeep/api";
import {
  evidenceView,
  exportedMeters,
  intervalsAsCim,
  intervalsAsCsv,
  intervalsAsParquet,
  loggedEvents,
  type Meter,
  profileReadings,
  qualityReadings,
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
  | "exportIntervals";

/** Readings, what they rest on, and who pushes. */
export function readingHandlers(context: Context): Pick<Handlers, Served> {
  const { pool, scope, inventory } = context;
  const exports = new Exports(pool, scope);
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
      exports.answer(query, query.meter === undefined ? undefined : (await inventory.get(query.meter)).id, reply),
    evidence: async ({ params }) => {
      const found = await evidenceView(pool, scope, params.hash);
      if (found === undefined) throw new ProblemError("evidence-unknown", `no reading rests on ${params.hash}`);
      return found;
    },
    pushSources: async () => ({ sources: [...(await context.pushSources.list())] }),
  };
}

const MOST_EXPORTS = 2;
const EXPORTERS = { csv: intervalsAsCsv, parquet: intervalsAsParquet, cim: intervalsAsCim } as const;

/** Exports under way: each reads the whole island, so there are few at once. */
class Exports {
  readonly #pool: Context["pool"];
  readonly #scope: Context["scope"];
  #running = 0;

  constructor(pool: Context["pool"], scope: Context["scope"]) {
    this.#pool = pool;
    this.#scope = scope;
  }

  /** Answers with a stream that ends with the export, or with the caller's patience. */
  answer({ format, from, to, trust }: ExportQuery, meter: Meter["id"] | undefined, reply: FastifyReply): void {
    const window = {
      from: requiredTime("from", from).getTime(),
      to: requiredTime("to", to).getTime(),
      trust: trust ?? "trusted",
      ...(meter === undefined ? {} : { meter }),
    } as const;
    if (window.from > window.to) throw new ProblemError("body-invalid", "querystring/to: it is before from");
    if (this.#running >= MOST_EXPORTS)
      throw new ProblemError("too-many-exports", `${MOST_EXPORTS} exports are running; try again when one has ended`);
    this.#running += 1;
    const octets = Readable.from(EXPORTERS[format](exportedMeters(this.#pool, this.#scope, window)), {
      objectMode: false,
    });
    octets.once("close", () => {
      this.#running -= 1;
    });
    const suffix = format === "cim" ? "xml" : format;
    void reply
      .type(EXPORT_FORMATS[format])
      .header("content-disposition", `attachment; filename="intervals.${suffix}"`)
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
