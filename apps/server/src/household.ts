import { METER_KINDS, type MeterKind } from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import type { ServerConfig } from "@meterkeep/api/supervisor";
import {
  firstOpenDay,
  forgetReadings,
  type MeterDirectory,
  markSla,
  type NotedLedger,
  type Outbox,
  type PushIntake,
  packDays,
  parseGatewayAddress,
  queueRotationContacts,
  sweepGaps,
  thinOut,
  type Worker,
} from "@meterkeep/headend";
import type { Logger } from "pino";
import type { CommandWork } from "./command-work.ts";
import type { Commissioning } from "./commissioning.ts";
import type { Context } from "./handlers/context.ts";
import { clockView } from "./handlers/status.ts";
import { joinIslands } from "./islands.ts";
import type { MeterWatch } from "./meter-watch.ts";
import { keepPlausibility } from "./plausibility.ts";
import type { PushListeners } from "./push-listeners.ts";
import { oneAtATime, repeat } from "./repeat.ts";
import type { WarningWatch } from "./warning-watch.ts";

const CLOCK_MILLISECONDS = 10_000;
const CUSTODIAN_MILLISECONDS = 1_000;
const DEPOT_MILLISECONDS = 500;
/** Campaigns: what was approved is under way within a second. */
const CAMPAIGN_MILLISECONDS = 1_000;
const ROTATION_MILLISECONDS = 5_000;
const COMMISSIONING_MILLISECONDS = 5_000;
const STORM_MILLISECONDS = 10_000;
const THIN_OUT_MILLISECONDS = 60_000;
const FORGET_MILLISECONDS = 3_600_000;
const NOTE_LEDGER_MILLISECONDS = 60_000;
const PACK_MILLISECONDS = 10_000;
const PLAUSIBILITY_MILLISECONDS = 60_000;
const SLA_MILLISECONDS = 10_000;
const SWEEP_MILLISECONDS = 60_000;

/** What is looked after. */
export interface HouseholdPorts {
  readonly config: Pick<ServerConfig, "workers" | "nats" | "keepReadings">;
  readonly context: Context;
  readonly custodian: Pick<Custodian, "contactsDue">;
  readonly directory: Pick<MeterDirectory, "meters" | "find">;
  readonly commissioning: Pick<Commissioning, "takeIn" | "hasNews">;
  readonly listeners: Pick<PushListeners, "follow">;
  readonly watch: MeterWatch;
  readonly work: Pick<Worker, "start" | "wake">;
  readonly commands: Pick<CommandWork, "look">;
  readonly warningWatch: Pick<WarningWatch, "look">;
  readonly intake: Pick<PushIntake, "lookAtStorms">;
  readonly notedLedger: Pick<NotedLedger, "look">;
  readonly outbox: Outbox | undefined;
  readonly logger: Logger;
  onError(error: unknown): void;
}

/** What looks after a head-end until it is disposed of. */
export interface Household extends AsyncDisposable {
  /** Takes in what lies in the exchange directory: meters, where they are, and what they wait for. */
  takeIn(): Promise<void>;
}

/** Looks, in loops of their own, after all that must happen now and then; nothing of it happens twice at once. */
export function keepHouse(ports: HouseholdPorts): Household {
  const { config, context, custodian, directory, commissioning, listeners, watch, work, commands, warningWatch } =
    ports;
  const { intake, notedLedger, outbox, logger, onError } = ports;
  const { pool, scope, custodianWatch, queue, hub, ledger, clockOf, wanted, now } = context;
  const closing = new AbortController();
  const loops: Promise<void>[] = [];
  const loop = (milliseconds: number, body: () => Promise<void>): void => {
    loops.push(repeat(milliseconds, closing.signal, body, onError));
  };
  let isTakenIn = false;
  /** Imports so far, and at which of them nobody was left on the bench. */
  let [imports, benchEmptyAt] = [0, 0];
  const takeIn = oneAtATime(async () => {
    await commissioning.takeIn();
    imports += 1;
    for (const { pushSource } of directory.meters)
      if (pushSource !== undefined) listeners.follow(parseGatewayAddress(pushSource));
    await watch.takeovers.look("all");
    // Where there are processes for it, this one holds no sessions.
    if (config.workers === 0) work.start();
    work.wake();
    isTakenIn = true;
  });
  // Until the custodian is there, and then whenever a file has come or changed; the town says so itself.
  loop(COMMISSIONING_MILLISECONDS, async () => {
    if (!isTakenIn || (await commissioning.hasNews())) await takeIn();
  });
  loop(CUSTODIAN_MILLISECONDS, async () => {
    await custodianWatch.look();
    warningWatch.look();
  });
  loop(DEPOT_MILLISECONDS, async () => {
    const at = imports;
    if (isTakenIn && at !== benchEmptyAt && (await watch.takeovers.look("depot")) === 0) benchEmptyAt = at;
  });
  loop(CAMPAIGN_MILLISECONDS, async () => {
    if (isTakenIn) await commands.look();
  });
  loop(ROTATION_MILLISECONDS, async () => {
    if (isTakenIn) await watch.takeovers.follow();
    const isAny = isTakenIn && (await queueRotationContacts({ custodian, directory, queue, now })) > 0;
    if (isAny) work.wake();
  });
  loop(CLOCK_MILLISECONDS, async () => {
    const { now: town, wallNow, factor } = clockView(context, now());
    hub.publish("clock", { now: town, wallNow, factor });
  });
  loop(STORM_MILLISECONDS, async () => intake.lookAtStorms());
  loop(THIN_OUT_MILLISECONDS, () => thinOut(pool, scope, now()));
  loop(NOTE_LEDGER_MILLISECONDS, async () => {
    // Stored levels of the tree that are missing are made by the first head.
    await ledger.head();
    if (isTakenIn) await notedLedger.look();
  });
  const begunAt = now();
  loop(SLA_MILLISECONDS, async () => {
    for (const kind of METER_KINDS) {
      const { atSource } = clockOf(kind);
      if (isTakenIn) await markSla(pool, scope, kind, context.zone, atSource(now()), atSource(begunAt));
    }
  });
  let islands: AsyncDisposable | undefined;
  if (outbox !== undefined) {
    if (config.nats !== undefined) islands = joinIslands({ pool, scope, outbox, nats: config.nats, now, onError });
    loop(FORGET_MILLISECONDS, async () => void (await outbox.forget(now(), config.nats !== undefined)));
  }
  loop(SWEEP_MILLISECONDS, async () => {
    if (isTakenIn) await sweepGaps(pool, scope, wanted(now()), now());
  });
  const plausibility = keepPlausibility(context, directory, logger);
  loop(PLAUSIBILITY_MILLISECONDS, async () => {
    if (isTakenIn) await plausibility.watch();
  });
  let packedUntil: string | undefined;
  loop(PACK_MILLISECONDS, async () => {
    const sourceNow = (kind: MeterKind): number => clockOf(kind).atSource(now());
    const until = METER_KINDS.map((kind) => firstOpenDay(sourceNow(kind))).join(" ");
    if (!isTakenIn || until === packedUntil) return;
    const days = await packDays({ pool, scope, sourceNow }, closing.signal);
    if (days > 0) logger.info({ days }, "days that have ended were packed");
    // They stand whole now, and no session waits for it. A judging that fails is tried again.
    await plausibility.judge(sourceNow, closing.signal);
    packedUntil = until;
  });
  loop(FORGET_MILLISECONDS, async () => {
    const { evidence, intervals, registers } = await forgetReadings(
      { sql: pool, scope, ledger, now },
      config.keepReadings,
    );
    if (evidence > 0) logger.info({ evidence, intervals, registers }, "readings beyond their time were deleted");
  });
  return {
    takeIn,
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await islands?.[Symbol.asyncDispose]();
      await Promise.all(loops);
    },
  };
}
