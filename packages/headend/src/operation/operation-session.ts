import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { openSession } from "@meterkeep/dlms";
import { codeOf } from "../errors.ts";
import type { Meter } from "../inventory/meter.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";
import type { Route } from "../route/route.ts";
import { CustodianAssociator, type ProtectionRecord, provingLine } from "../session/custodian-associator.ts";
import type { SessionRecord } from "../session/ladder.ts";
import type { Dial } from "../session/line.ts";
import { MeterReader } from "../session/meter-reader.ts";
import type { ScalerTable } from "../session/scaler-table.ts";
import type { SessionCustodian } from "../session/session-custodian.ts";
import { SessionEnd } from "../session/session-end.ts";
import { outcomeOf } from "../session/session-outcome.ts";
import { SessionRecorder } from "../session/session-recorder.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { type CommandTokens, commandSeal } from "./command-seal.ts";
import { keepAgreed } from "./long-writes.ts";
import type { MeterMemory, Operation, OperationPreview, OperationResult, OperationSession } from "./operation.ts";

export interface OperationPorts {
  readonly custodian: SessionCustodian;
  readonly dial: Dial;
  readonly scalers: ScalerTable;
  /** What is kept of the meter between sessions. */
  memoryOf(meter: Meter): MeterMemory;
  /** Milliseconds since 1970 UTC. */
  now(): number;
}

/** Which operation on which meter. */
export interface OperationOrder<P> {
  readonly meter: Meter;
  readonly route: Route;
  readonly profile: MeterProfile;
  readonly clock: SourceClock;
  readonly operation: Operation<P>;
  readonly parameters: P;
}

/** How it went. */
export interface OperationHeld<R> {
  readonly session: SessionRecord;
  /** Undefined where something was thrown before it came to an end. */
  readonly result: R | undefined;
  /** Undefined when all went well. */
  readonly error: unknown;
}

/**
 * Runs an operation on one meter in a session of its own. `tokens` are those of the manifest that allows it; an operation
 * that only reads needs none.
 *
 * @throws HeadEndError `operation-not-offered` before anybody is spoken to
 */
export async function runOperation<P>(
  ports: OperationPorts,
  order: OperationOrder<P>,
  tokens: CommandTokens | undefined,
  signal: AbortSignal,
): Promise<OperationHeld<OperationResult>> {
  const command = order.operation.command(order.parameters, order.profile);
  const seal = command && tokens && commandSeal(command, tokens, order.meter.title, ports.now);
  const purpose = command === undefined ? "read" : "configure";
  return hold(ports, order, { purpose, seal }, signal, (on) => order.operation.run(on, order.parameters));
}

/** Looks at one meter as a dry run does: nothing that needs a token can be sealed in its session. */
export async function previewOperation<P>(
  ports: OperationPorts,
  order: OperationOrder<P>,
  signal: AbortSignal,
): Promise<OperationHeld<OperationPreview>> {
  order.operation.command(order.parameters, order.profile);
  const only = { purpose: "read", seal: undefined } as const;
  return hold(ports, order, only, signal, (on) => order.operation.preview(on, order.parameters));
}

async function hold<P, R extends OperationResult | OperationPreview>(
  ports: OperationPorts,
  order: OperationOrder<P>,
  means: {
    readonly purpose: "read" | "configure";
    readonly seal: ReturnType<typeof commandSeal> | undefined;
  },
  signal: AbortSignal,
  body: (on: OperationSession) => Promise<R>,
): Promise<OperationHeld<R>> {
  const { custodian, dial, now } = ports;
  const { meter, profile, clock } = order;
  const startedAt = now();
  const grades: ProtectionRecord = new WeakMap();
  const recorder = new SessionRecorder(grades, now);
  let result: R | undefined;
  let error: unknown;
  try {
    const asked = { meter: meter.systemTitle, purpose: means.purpose, awaited: true } as const;
    const opened = await custodian.openSession(asked);
    const end = new SessionEnd(custodian, asked, opened);
    try {
      await using line = await dial(order.route, opened, signal);
      const associator = new CustodianAssociator(custodian, opened, end, provingLine(line, grades), means.seal);
      await using session = await openSession({
        exchange: line.exchange,
        associator,
        signal,
        onExchange: recorder.observe,
      });
      const memory = ports.memoryOf(meter);
      if (means.purpose === "configure") await keepAgreed(session, memory);
      result = await end.during(
        body({
          session,
          reader: new MeterReader(session, meter, profile, ports.scalers),
          meter,
          profile,
          clock,
          memory,
          begin: () => recorder.begin(),
          evidence: () => recorder.evidence(),
          now,
          pause: (milliseconds) => wait(milliseconds, undefined, { signal }),
        }),
      );
    } catch (cause) {
      error = cause;
      end.failed(cause);
    }
    await end.close();
  } catch (cause) {
    error ??= cause;
  }
  const record: SessionRecord = {
    id: randomUUID(),
    purpose: "operate",
    outcome: outcomeOf(error),
    ...(error === undefined ? {} : { code: codeOf(error) }),
    sentence: sentenceOf(order, result, error),
    startedAt,
    endedAt: now(),
    ladder: recorder.ladder,
  };
  return { session: record, result, error };
}

function sentenceOf<P>(
  { operation, parameters }: OperationOrder<P>,
  result: OperationResult | OperationPreview | undefined,
  error: unknown,
): string {
  if (result !== undefined) return result.sentence;
  const why = error instanceof Error ? error.message : "it ended without a reason";
  return `To ${operation.words(parameters)}: ${why}`;
}
