import { readFileSync } from "node:fs";
import { getRequest } from "../src/protocol/requests.ts";
import { perSecond } from "./figures.ts";
import { sealingCustodian } from "./seal.ts";

const UNDER_WAY = 16;
const BATCH = 64;
const SAMPLES = 10;

/** Memory of a custodian that seals as fast as it can, in ten samples. */
export async function benchSoak(minutes: number): Promise<void> {
  const { child, client, session } = await sealingCustodian("call");
  const apdu = getRequest({ classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 2 });
  const items = Array.from({ length: BATCH }, () => ({ apdu }));
  const end = performance.now() + minutes * 60_000;
  let sealed = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < end) sealed += (await client.seal({ session, items })).length;
  };
  const lanes = Array.from({ length: UNDER_WAY }, lane);
  const sizes: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    await new Promise((resolve) => setTimeout(resolve, (minutes * 60_000) / SAMPLES));
    sizes.push(residentBytes(child.pid as number));
    console.log(
      `${(((sample + 1) * minutes) / SAMPLES).toFixed(1).padStart(5)} min  ${(sizes.at(-1)! / 1e6).toFixed(0).padStart(5)} MB resident, ${perSecond(sealed)} sealed`,
    );
  }
  await Promise.all(lanes);
  const half = sizes.slice(SAMPLES / 2);
  console.log(
    `second half: ${((Math.max(...half) / Math.min(...half) - 1) * 100).toFixed(1)} % between least and most`,
  );
  await client.close();
  child.disconnect();
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
