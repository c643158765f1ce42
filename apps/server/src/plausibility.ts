import type { MeterKind } from "@meterkeep/api";
import {
  isGrave,
  judgeDays,
  judgeRereads,
  type MeterDirectory,
  type PlausibilityFinding,
  PlausibilityWatch,
} from "@meterkeep/headend";
import type { Logger } from "pino";
import type { Context } from "./handlers/context.ts";

/** So many findings of one look are a line each; the others are counted. */
const MOST_LINES = 20;

/** Judges what meters say: each day when it is closed, and every minute what cannot wait for that. */
export interface Plausibility {
  judge(sourceNow: (kind: MeterKind) => number, signal: AbortSignal): Promise<void>;
  watch(): Promise<void>;
}

/** Puts the rules of plausibility to work and tells what they find that is grave. */
export function keepPlausibility(
  context: Context,
  directory: Pick<MeterDirectory, "meters">,
  logger: Logger,
): Plausibility {
  const { pool, scope, hub, clockOf, now } = context;
  const onFindings = (findings: readonly PlausibilityFinding[]): void => {
    const grave = findings.filter(({ rule }) => isGrave(rule));
    if (grave.length === 0) return;
    const meters = new Map(directory.meters.map((meter) => [meter.id, meter]));
    for (const { rule, subject, sentence } of grave.slice(0, MOST_LINES)) {
      const meter = subject.kind === "meter" ? meters.get(subject.meter) : undefined;
      hub.publish(
        "implausible",
        { at: new Date(now()).toISOString(), rule, sentence, ...(meter === undefined ? {} : { meter: meter.title }) },
        {
          sentence: `${rule}: ${meter === undefined ? "" : `${meter.label}: `}${sentence}`,
          severity: "warning",
          ...(meter === undefined ? {} : { meter: meter.title }),
        },
      );
    }
    logger.info({ findings: findings.length, grave: grave.length }, "what meters say is not plausible");
  };
  const watch = new PlausibilityWatch({ sql: pool, scope, clockOf, now, onFindings });
  return {
    async judge(sourceNow, signal) {
      const cpu = (): number => process.cpuUsage().user / 1_000;
      await judgeDays({ pool, scope, now, sourceNow, cpu, random: Math.random, onFindings }, signal);
    },
    async watch() {
      await watch.look();
      const added = await judgeRereads(pool, scope, (kind) => clockOf(kind).atSource(now()), now());
      if (added.length > 0) onFindings(added);
    },
  };
}
