import { getRequest } from "../src/protocol/requests.ts";
import { perSecond } from "./figures.ts";
import { sealingCustodian } from "./seal.ts";

const UNDER_WAY = 16;
const BATCH = 64;
const SAMPLES = 20;
const MEGABYTE = 1e6;
/** Sealing lanes open and end a session of their own each time after so many calls. */
const CALLS_A_SESSION = 50;
/** What the second half may differ by: resident memory, which V8 gives back late, and objects in use, or so many octets of them. */
const MOST_RESIDENT = 0.25;
const MOST_IN_USE = 0.1;
const LEAST_MEANT = 2 * MEGABYTE;

/**
 * Memory of a custodian that seals as fast as it can with its keys unsealed for each call, while sessions are opened and ended
 * beside it, in twenty samples: over PostgreSQL, with the limits that an installed one has. Ends with status 1 where the
 * second half of them is not flat.
 *
 * Resident is what the operating system counts. Of it the heap is what V8 has taken (objects in use, garbage, and the room
 * it keeps for more), outside are octets that ciphers and sockets hold; the rest is the program and what `malloc` keeps. V8
 * collects and gives room back late, so a step is growth only where it is one of the objects in use: what a collection at
 * the end of each sample leaves.
 */
export async function benchSoak(minutes: number): Promise<void> {
  const { child, client, session, meter, ask } = await sealingCustodian("call", { inDatabase: true });
  const apdu = getRequest({ classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 2 });
  const items = Array.from({ length: BATCH }, () => ({ apdu }));
  const began = performance.now();
  const end = began + minutes * 60_000;
  let [sealed, sessions] = [0, 0];
  const lane = async (): Promise<void> => {
    for (let calls = 1; performance.now() < end; calls += 1) {
      if (calls % CALLS_A_SESSION === 0) {
        const opened = await client.openSession({ meter, purpose: "read" });
        await client.closeSession({ session: opened.session, outcome: "completed" });
        sessions += 1;
      }
      const { length } = await client.seal({ session, items });
      sealed += length;
    }
  };
  const lanes = Array.from({ length: UNDER_WAY }, lane);
  const [resident, inUse]: [number[], number[]] = [[], []];
  let before = 0;
  console.log("            resident   heap   objects in use   outside   sealed a second");
  for (let sample = 1; sample <= SAMPLES; sample += 1) {
    await new Promise((resolve) =>
      setTimeout(resolve, began + (sample * minutes * 60_000) / SAMPLES - performance.now()),
    );
    const { usage, live } = await ask<{ readonly usage: NodeJS.MemoryUsage; readonly live: number }>({ memory: true });
    resident.push(usage.rss);
    inUse.push(live);
    const rate = (sealed - before) / ((minutes * 60) / SAMPLES);
    before = sealed;
    console.log(
      `${((sample * minutes) / SAMPLES).toFixed(1).padStart(5)} min  ${megabytes(usage.rss)} MB ${megabytes(usage.heapTotal)}   ${megabytes(live)}            ${megabytes(usage.external)}     ${perSecond(rate)}`,
    );
  }
  await Promise.all(lanes);
  const half = resident.slice(SAMPLES / 2);
  const [spread, most] = [Math.max(...half) / Math.min(...half) - 1, Math.max(...inUse.slice(SAMPLES / 2))];
  const grown = slope(inUse.slice(SAMPLES / 2)) * (SAMPLES / 2);
  const growth = (slope(inUse.slice(SAMPLES / 2)) * SAMPLES * 60) / minutes / MEGABYTE;
  console.log(
    `second half: resident ${(spread * 100).toFixed(1)} % between least and most, ` +
      `objects in use ${growth.toFixed(1)} MB more in an hour; ${sealed.toLocaleString("en")} sealed and ${sessions.toLocaleString("en")} sessions opened in all`,
  );
  const isFlat = spread <= MOST_RESIDENT && grown <= Math.max(LEAST_MEANT, most * MOST_IN_USE);
  console.log(isFlat ? "flat" : "NOT flat");
  if (!isFlat) process.exitCode = 1;
  await client.close();
  child.disconnect();
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
