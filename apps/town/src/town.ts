import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import {
  type Consumption,
  Feeder,
  HomeConsumption,
  household,
  INTERVAL_SECONDS,
  localMidnight,
  MeterModels,
  RelayHistory,
  SqliteMemory,
  type StoredMeter,
  VirtualMeter,
  Weather,
} from "@meterkeep/meter";
import { Caller, type CallTarget } from "./caller.ts";
import { startClock, type TownClock } from "./clock-file.ts";
import { DurableAnswers } from "./durable-answers.ts";
import { TownError } from "./errors.ts";
import { type LinePatience, MeterLine } from "./meter-line.ts";
import { readProduction } from "./production-file.ts";
import { Pusher } from "./pusher.ts";
import { openWayIn, WAYS_IN, type WayIn } from "./way-in.ts";
import { WayOut } from "./way-out.ts";

/** How a town is started. */
export interface TownOptions {
  readonly stateDirectory: string;
  readonly exchangeDirectory: string;
  readonly productionFile: string;
  readonly host: string;
  /** Port of the first meter; 0 lets the system choose all. */
  readonly basePort: number;
  /** Simulated seconds a second. */
  readonly speed: number;
  readonly pushHost: string;
  readonly pushPort: number;
  /** Where meters call that are not called. */
  readonly callPort?: number;
  /** How many of the meters in the field do; the last ones. */
  readonly callers: number;
  /** Over mutual TLS: all of them, or every second one where there is a `callPort` as well. */
  readonly callTls?: { readonly port: number; readonly headEnd: string };
  /** Whether meters in the field are reached in several ways: every fourth at a port of its own, the others over UDP, HDLC and a gateway. */
  readonly manyWays: boolean;
  /** Is called when the meters' memory cannot be written any more. */
  readonly onFailure: (error: unknown) => void;
  /** How patient the meters are with their clients. */
  readonly patience?: LinePatience;
}

/** One meter of the town with its line and addresses. */
export interface TownMeter {
  readonly meter: VirtualMeter;
  readonly line: MeterLine;
  readonly port: number;
  /** The address on the depot's bench, for meters that are commissioned there. */
  readonly depotPort: number | undefined;
  /** It calls: nobody reaches it at an address. */
  readonly caller: Caller | undefined;
  /** The way to it, where that is not its port. */
  readonly route: string | undefined;
}

/** A running town. */
export interface Town {
  readonly clock: TownClock;
  readonly meters: ReadonlyMap<string, TownMeter>;
  readonly feeders: ReadonlyMap<string, Feeder>;
  readonly weather: Weather;
  /** Closes listeners, connections and the memory; what was noted is committed. */
  close(): Promise<void>;
}

/** How many days the meters have measured before the town opens. */
const HISTORY_DAYS = 10;
/** How often meters look at their schedules. Milliseconds. */
const TICK_MS = 250;
/** With more lines taken than this, meters share commits. */
const SHARING_LINES = 8;
/** Descriptors for everything that is not a meter's listener or connection. */
const SPARE_DESCRIPTORS = 100;

/** Starts the town: reads memory and production file, opens a port for each meter, writes addresses.json. */
export async function startTown(options: TownOptions): Promise<Town> {
  const memory = new SqliteMemory(join(options.stateDirectory, "meters.sqlite"));
  const clock = startClock(join(options.stateDirectory, "clock.json"), options.speed);
  const servers: Server[] = [];
  await using waysIn = new AsyncDisposableStack();
  try {
    const produced = await readProduction(options.productionFile);
    const firstInterval = localMidnight(clock.now() - HISTORY_DAYS * 86_400) / INTERVAL_SECONDS;
    memory.install(produced.map((record) => ({ record, firstInterval: Math.floor(firstInterval) })));
    const stored = memory.meters();
    if (stored.length === 0) {
      throw new TownError(
        "town-production-missing",
        `${options.productionFile} holds no meters. Let the factory produce some.`,
      );
    }
    checkDescriptors(stored);

    const answers = new DurableAnswers(memory, options.onFailure);
    const pusher = new Pusher(answers, new WayOut(options.exchangeDirectory));
    const feeders = buildFeeders(stored);
    const weather = new Weather(townSeed(stored));
    const models = new MeterModels();
    const meters = new Map<string, TownMeter>();
    let nextPort = options.basePort;
    const listen = async (accept: Parameters<typeof createServer>[1]): Promise<number> => {
      const server = createServer({ noDelay: true }, accept);
      servers.push(server);
      const port = nextPort === 0 ? 0 : nextPort++;
      return listenOn(server, options.host, port);
    };
    const calling = callersOf(stored, options);
    const ways = waysOf(stored, options);
    const homes = stored.map((each) => [each, consumptionOf(each, feeders, weather)] as const);
    for (const [each, consumption] of homes) {
      const meter = new VirtualMeter({
        stored: each,
        model: models.of(each.record),
        consumption,
        clock: clock.now,
        memory,
        pushDestination: `${options.pushHost}:${options.pushPort}`,
      });
      const line = new MeterLine(meter, answers, options.patience);
      const port = await listen((socket) => {
        // A meter that still stands in the depot has no line in the field.
        if (meter.inField) line.accept(socket);
        else socket.resetAndDestroy();
      });
      const depotPort = each.record.depot ? await listen((socket) => line.accept(socket)) : undefined;
      const { systemTitle } = each.record;
      const nth = calling.get(systemTitle);
      const caller = nth === undefined ? undefined : new Caller(meter, line, answers, callTarget(options, nth));
      const way = caller === undefined ? ways.get(systemTitle) : undefined;
      const place = { host: options.host, port: 0 };
      const opened = way && (await openWayIn(way, meter, answers, place));
      if (opened !== undefined) waysIn.use(opened.listener);
      const route = caller === undefined ? opened?.route : `dial-in://${systemTitle}`;
      meters.set(systemTitle, { meter, line, port, depotPort, caller, route });
    }
    answers.flush();
    writeAddresses(options, clock, meters);
    for (const { caller } of meters.values()) caller?.start();
    const ticking = setInterval(() => tick(meters, pusher, answers), TICK_MS);
    const opened = waysIn.move();

    return {
      clock,
      meters,
      feeders,
      weather,
      close: async () => {
        clearInterval(ticking);
        pusher.stop();
        for (const { line, caller } of meters.values()) {
          caller?.stop();
          line.hangUp();
        }
        await opened.disposeAsync();
        await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
        answers.flush();
        clock[Symbol.dispose]();
        memory.close();
      },
    };
  } catch (error) {
    for (const server of servers) server.close();
    clock[Symbol.dispose]();
    memory.close();
    throw error;
  }
}

/** The last ones of those in the field, numbered: the first are behind concentrators, where there are any. */
function callersOf(
  stored: readonly StoredMeter[],
  { callers, callPort, callTls }: TownOptions,
): ReadonlyMap<string, number> {
  if ((callPort ?? callTls) === undefined || callers === 0) return new Map();
  const inField = stored.filter(({ record }) => !record.depot).map(({ record }) => record.systemTitle);
  return new Map(inField.slice(-callers).map((title, n) => [title, n]));
}

/** How those in the field are reached that have another way than their port. */
function waysOf(stored: readonly StoredMeter[], { manyWays }: TownOptions): ReadonlyMap<string, WayIn> {
  const inField = stored.filter(({ record }) => manyWays && !record.depot);
  return new Map(
    inField.flatMap(({ record }, n) => {
      const way = WAYS_IN[(n % (WAYS_IN.length + 1)) - 1];
      return way === undefined ? [] : [[record.systemTitle, way]];
    }),
  );
}

/** Where the n-th caller calls. */
function callTarget({ pushHost: host, callPort, callTls, stateDirectory }: TownOptions, n: number): CallTarget {
  const isTls = callTls !== undefined && (callPort === undefined || n % 2 === 0);
  if (!isTls) return { host, port: callPort ?? 0 };
  const { port, headEnd } = callTls;
  return { host, port, tls: { headEnd, directory: join(stateDirectory, "calls") } };
}

function tick(meters: ReadonlyMap<string, TownMeter>, pusher: Pusher, answers: DurableAnswers): void {
  let taken = 0;
  for (const { meter, line } of meters.values()) {
    const now = meter.now();
    meter.tick(now);
    const due = meter.pushes.take(now);
    if (due !== undefined) pusher.add(meter, due);
    if (line.taken) taken += 1;
  }
  answers.keepPace(taken > SHARING_LINES);
  answers.flush();
}

/** Feeders by id, each with the rating that its transformer meter names. */
function buildFeeders(stored: readonly StoredMeter[]): Map<string, Feeder> {
  const feeders = new Map<string, Feeder>();
  for (const { record, firstInterval } of stored) {
    if (record.role !== "transformer") continue;
    feeders.set(record.feeder, new Feeder({ seed: record.seed, ratedKva: record.ratedKva, firstInterval }));
  }
  return feeders;
}

function consumptionOf(
  { record, relay, firstInterval }: StoredMeter,
  feeders: ReadonlyMap<string, Feeder>,
  weather: Weather,
): Consumption {
  const feeder = feeders.get(record.feeder);
  if (feeder === undefined) {
    throw new TownError(
      "town-transformer-missing",
      `Meter ${record.systemTitle} is on feeder ${record.feeder}, which has no transformer meter. Let the factory produce the town anew.`,
    );
  }
  if (record.role === "transformer") return feeder;
  const home = new HomeConsumption({
    household: household(record.seed),
    weather,
    relay: new RelayHistory(relay),
    firstInterval,
  });
  feeder.add(home, record.position);
  return home;
}

/** All meters share one sky: that of the first meter ever made. */
function townSeed(stored: readonly StoredMeter[]): number {
  return stored[0]?.record.seed ?? 0;
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        new TownError(
          "town-port-taken",
          `A meter cannot listen on ${host}:${port} (${cause.code}). Choose another base port, or 0.`,
          { cause },
        ),
      ),
    );
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      server.on("error", () => undefined);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Every listener and every connection is a descriptor: says so before the hundredth meter fails. */
function checkDescriptors(stored: readonly StoredMeter[]): void {
  const listeners = stored.length + stored.filter(({ record }) => record.depot).length;
  const needed = listeners + Math.min(stored.length, 1024) + SPARE_DESCRIPTORS;
  let limit: number;
  try {
    limit = Number(
      /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? Number.POSITIVE_INFINITY,
    );
  } catch {
    return;
  }
  if (limit < needed) {
    throw new TownError(
      "town-descriptors-few",
      `${stored.length} meters need ${needed} file descriptors, ${limit} are allowed. Raise the limit (ulimit -n ${needed}) or start fewer meters.`,
    );
  }
}

/** Tells head-end and depot where the meters are and what time it is there. */
function writeAddresses(options: TownOptions, clock: TownClock, meters: ReadonlyMap<string, TownMeter>): void {
  const { epoch, wallEpoch, factor } = clock.time;
  const rfc3339 = (seconds: number): string => new Date(Math.round(seconds * 1000)).toISOString();
  const { host } = options;
  const file = join(options.exchangeDirectory, "addresses.json");
  const content = {
    clock: { epoch: rfc3339(epoch), wallEpoch: rfc3339(wallEpoch), factor },
    meters: [...meters].map(([systemTitle, { port, depotPort, route }]) => ({
      systemTitle,
      // As in a mobile network: what is said here is where they are for now.
      ...(route === undefined ? { host, port, moves: true } : { route }),
      ...(depotPort === undefined ? {} : { depotHost: host, depotPort }),
    })),
  };
  writeFileSync(`${file}.tmp`, JSON.stringify(content));
  // Others read it, whatever this process's umask keeps from them.
  chmodSync(`${file}.tmp`, 0o644);
  renameSync(`${file}.tmp`, file);
}
