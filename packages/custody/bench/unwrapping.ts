import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { getRequest } from "../src/protocol/requests.ts";
import type { KeyKeeping } from "../src/session/session-keys.ts";
import { percentile, perSecond } from "./figures.ts";
import { sealingCustodian } from "./seal.ts";

const BATCH = 64;
const BATCHES_UNDER_WAY = 4;

/** With keys kept in clear a session costs the bench as much to open, and fewer of them tell as much. */
const MOST_KEPT = 20_000;

/**
 * Seals a second through the socket, batches of 64 requests, each to a meter drawn uniformly over all that have a session open:
 * with every key unsealed for its seal and wiped after it, over `meters`, and with keys kept in clear beside it. Beside both
 * bare crypto in this process: AES-GCM with the meter's key, and the same after both keys of the meter were opened by
 * AES-256-GCM.
 */
export async function benchUnwrapping(seconds: number, meters: number): Promise<void> {
  const { child, client, ask } = await sealingCustodian("call");
  const items = [{ apdu: getRequest({ classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 2 }) }];
  const cpuSeconds = async (): Promise<number> => {
    const { cpu } = await ask<{ readonly cpu: NodeJS.CpuUsage }>({ cpu: true });
    return (cpu.user + cpu.system) / 1e6;
  };
  const measure = async (name: string, fleet: number, from: number, keeping: KeyKeeping): Promise<number> => {
    const began = performance.now();
    const { sessions } = await ask<{ readonly sessions: readonly string[] }>({ fleet, from, keeping });
    const opening = Math.round((performance.now() - began) / 1000);
    const one = async (): Promise<void> => {
      const [result] = await client.seal({ session: sessions[Math.floor(Math.random() * fleet)] as string, items });
      if (result?.kind !== "sealed") throw new Error("something was refused");
    };
    await inBatches(500, one);
    const [before, start] = [await cpuSeconds(), performance.now()];
    const latencies = await inBatches(seconds * 1000, one);
    const wall = (performance.now() - start) / 1000;
    const seals = latencies.length * BATCH;
    const rate = seals / ((await cpuSeconds()) - before);
    console.log(
      `${name}, drawn over ${fleet.toLocaleString("en")} meters (opened in ${opening} s), batches of ${BATCH}:\n` +
        `  ${perSecond(seals / wall)} seals a second, ${perSecond(rate)} a custodian core second, p50 ${percentile(latencies, 0.5)} ms, p99 ${percentile(latencies, 0.99)} ms a batch`,
    );
    return rate;
  };
  const kept = await measure("keys kept", Math.min(meters, MOST_KEPT), meters, "session");
  const unsealed = await measure("keys unsealed for each seal", meters, 0, "call");
  await client.close();
  child.disconnect();
  const [bare, bareUnsealing] = [
    ofCore(seconds, bareSeal(items[0]!.apdu)),
    ofCore(seconds, bareUnseal(items[0]!.apdu)),
  ];
  console.log(
    `  bare AES-GCM ${perSecond(bare)} a core second: ${(bare / kept).toFixed(1)} times the rate with keys kept; with both keys unsealed ${perSecond(bareUnsealing)}: ${(bareUnsealing / unsealed).toFixed(1)} times`,
  );
}

/** Calls in batches, some of them under way at once; gives the milliseconds that each batch took. */
async function inBatches(milliseconds: number, one: () => Promise<void>): Promise<readonly number[]> {
  const latencies: number[] = [];
  const end = performance.now() + milliseconds;
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      const from = performance.now();
      await Promise.all(Array.from({ length: BATCH }, one));
      latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: BATCHES_UNDER_WAY }, lane));
  return latencies;
}

/** How often a piece of work is done in a second of this process's CPU. */
function ofCore(seconds: number, work: () => void): number {
  let count = 0;
  const before = process.cpuUsage();
  for (const end = performance.now() + seconds * 500; performance.now() < end; count += 100)
    for (let each = 0; each < 100; each += 1) work();
  const { user, system } = process.cpuUsage(before);
  return (count * 1e6) / (user + system);
}

function bareSeal(text: Uint8Array): () => void {
  const key = createSecretKey(randomBytes(16));
  const seal = sealer(text);
  return () => seal(key);
}

function sealer(text: Uint8Array): (key: KeyObject | Uint8Array) => void {
  const [iv, data] = [randomBytes(12), randomBytes(17)];
  return (key) => {
    const cipher = createCipheriv("aes-128-gcm", key, iv, { authTagLength: 12 });
    cipher.setAAD(data);
    cipher.update(text);
    cipher.final();
    cipher.getAuthTag();
  };
}

function bareUnseal(text: Uint8Array): () => void {
  const [vaultKey, iv, data] = [createSecretKey(randomBytes(32)), randomBytes(12), randomBytes(80)];
  const cipher = createCipheriv("aes-256-gcm", vaultKey, iv, { authTagLength: 16 });
  cipher.setAAD(data);
  const sealed = Buffer.concat([cipher.update(randomBytes(16)), cipher.final()]);
  const tag = cipher.getAuthTag();
  const unseal = (): Buffer => {
    const decipher = createDecipheriv("aes-256-gcm", vaultKey, iv, { authTagLength: 16 });
    decipher.setAAD(data);
    decipher.setAuthTag(tag);
    const key = decipher.update(sealed);
    decipher.final();
    return key;
  };
  const seal = sealer(text);
  return () => {
    unseal();
    seal(unseal());
  };
}
