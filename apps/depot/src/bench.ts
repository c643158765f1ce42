import { setTimeout as sleep } from "node:timers/promises";
import type { Custodian } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { type Address, carryContact, codeOf, type Dial, type SessionLimits } from "@meterkeep/headend";

/** A meter on the bench. */
export interface BenchMeter {
  /** Upper-case hex. */
  readonly title: string;
  /** Where it is reached now: a town that comes back has other ports. Undefined while nobody knows. */
  address(): Address | undefined;
}

export interface BenchPorts {
  readonly custodian: Pick<Custodian, "nextContact" | "advanceContact">;
  readonly dial: Dial;
  readonly limits: SessionLimits;
  now(): number;
  /** In [0, 1), for jitter. */
  random(): number;
  /** A contact could not be carried: the custodian is away, or the meter. */
  onFailure(meter: BenchMeter, code: string): void;
  onDone(meter: BenchMeter, verdict: string): void;
}

/** Contacts at once. */
const CONCURRENCY = 16;
const FIRST_PAUSE_MILLISECONDS = 300;
const LONGEST_PAUSE_MILLISECONDS = 60_000;

/**
 * Carries the takeovers of the meters on the bench to their end. It keeps nothing: the custodian's journal knows where
 * each one stands, so a bench that was killed goes on with the first question it asks.
 */
export async function runBench(ports: BenchPorts, meters: readonly BenchMeter[], signal: AbortSignal): Promise<void> {
  const waiting = [...meters];
  const lane = async (): Promise<void> => {
    for (let meter = waiting.shift(); meter !== undefined && !signal.aborted; meter = waiting.shift())
      await takeOver(ports, meter, signal);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
}

async function takeOver(ports: BenchPorts, meter: BenchMeter, signal: AbortSignal): Promise<void> {
  const title = systemTitle(fromHex(meter.title));
  let failures = 0;
  while (!signal.aborted) {
    const budget = AbortSignal.any([signal, AbortSignal.timeout(ports.limits.totalSeconds * 1000)]);
    try {
      const address = meter.address();
      if (address === undefined) {
        await rest(FIRST_PAUSE_MILLISECONDS, signal);
        continue;
      }
      const result = await carryContact(ports, { systemTitle: title, address }, budget);
      if (result.next === "done") {
        ports.onDone(meter, result.state.verdict);
        return;
      }
      failures = result.lost === undefined ? 0 : failures + 1;
      if (result.lost !== undefined) ports.onFailure(meter, result.lost.code);
      const pause = Math.max(result.milliseconds, failures === 0 ? 0 : backoff(failures, ports.random()));
      if (pause > 0) await rest(pause, signal);
    } catch (error) {
      const code = codeOf(error);
      // The shipment is on its way into custody: that is nobody's failure, and soon over.
      failures = code === "unknown-meter" ? 0 : failures + 1;
      if (failures > 0) ports.onFailure(meter, code);
      await rest(failures === 0 ? FIRST_PAUSE_MILLISECONDS : backoff(failures, ports.random()), signal);
    }
  }
}

function backoff(failures: number, random: number): number {
  const full = Math.min(LONGEST_PAUSE_MILLISECONDS, FIRST_PAUSE_MILLISECONDS * 2 ** Math.min(20, failures - 1));
  return full / 2 + (full / 2) * random;
}

async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}
