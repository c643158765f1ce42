import { getRequest } from "../src/protocol/requests.ts";
import { perSecond } from "./figures.ts";
import { sealingCustodian } from "./seal.ts";

const UNDER_WAY = 16;
const BATCH = 64;
const SAMPLES = 20;
const MEGABYTE = 1e6;

/**
 * Memory of a custodian that seals as fast as it can with its keys unsealed for each call, in twenty samples: over PostgreSQL,
 * with the limits that an installed one has.
 *
 * Resident is what the operating system counts. Of it the heap is what V8 has taken (objects in use and the room it keeps for
 * more), outside are octets that ciphers and sockets hold; the rest is the program and what `malloc` keeps. V8 gives room back
 * late, so a step is growth only where the objects in use grow with it.
 */
export async function benchSoak(minutes: number): Promise<void> {
  const { child, client, session, ask } = await sealingCustodian("call", { inDatabase: true });
  const apdu = getRequest({ classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 2 });
  const items = Array.from({ length: BATCH }, () => ({ apdu }));
  const began = performance.now();
  const end = began + minutes * 60_000;
  let sealed = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < end) sealed += (await client.seal({ session, items })).length;
  };
  const lanes = Array.from({ length: UNDER_WAY }, lane);
  const resident: number[] = [];
  const used: number[] = [];
  let before = 0;
  console.log("            resident   heap   in use at least   outside   sealed a second");
  for (let sample = 1; sample <= SAMPLES; sample += 1) {
    const least = await leastUntil(began + (sample * minutes * 60_000) / SAMPLES, ask);
    resident.push(least.rss);
    used.push(least.heapUsed);
    const rate = (sealed - before) / ((minutes * 60) / SAMPLES);
    before = sealed;
    console.log(
      `${((sample * minutes) / SAMPLES).toFixed(1).padStart(5)} min  ${megabytes(least.rss)} MB ${megabytes(least.heapTotal)}  ${megabytes(least.heapUsed)}             ${megabytes(least.external)}    ${perSecond(rate)}`,
    );
  }
  await Promise.all(lanes);
  const half = resident.slice(SAMPLES / 2);
  console.log(
    `second half: resident ${((Math.max(...half) / Math.min(...half) - 1) * 100).toFixed(1)} % between least and most, ` +
      `objects in use ${(slope(used.slice(SAMPLES / 2)) / MEGABYTE).toFixed(2)} MB more from one sample to the next; ${sealed.toLocaleString("en")} sealed in all`,
  );
  await client.close();
  child.disconnect();
}

/** Looks every second until then: what is in use at least is what a collection has left; the rest as it was last. */
async function leastUntil(
  until: number,
  ask: <T>(message: object) => Promise<T>,
): Promise<Pick<NodeJS.MemoryUsage, "rss" | "heapTotal" | "heapUsed" | "external">> {
  let heapUsed = Number.POSITIVE_INFINITY;
  for (;;) {
    const left = until - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.min(1000, Math.max(0, left))));
    const { memory } = await ask<{ readonly memory: NodeJS.MemoryUsage }>({ memory: true });
    heapUsed = Math.min(heapUsed, memory.heapUsed);
    if (performance.now() >= until) return { ...memory, heapUsed };
  }
}

/** By least squares, from one value to the next. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let [above, below] = [0, 0];
  for (const [at, value] of values.entries()) {
    above += (at - middle) * (value - mean);
    below += (at - middle) ** 2;
  }
  return above / below;
}

function megabytes(bytes: number): string {
  return (bytes / MEGABYTE).toFixed(0).padStart(5);
}
