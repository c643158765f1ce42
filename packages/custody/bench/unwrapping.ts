import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { getRequest } from "../src/protocol/requests.ts";
import { percentile, perSecond } from "./figures.ts";
import { sealingCustodian } from "./seal.ts";

const BATCH = 64;
const BATCHES_UNDER_WAY = 4;

/**
 * Seals a second through the socket with every key unsealed for its seal and wiped after it: batches of 64 requests, each to a
 * meter drawn uniformly over `meters`, all of which have a session open. Beside it bare crypto in this process: AES-GCM
 * with the meter's key, and the same after both keys of the meter were opened by AES-256-GCM.
 */
export async function benchUnwrapping(seconds: number, meters: number): Promise<void> {
  const { child, client, ask } = await sealingCustodian("call");
  const began = performance.now();
  const { sessions } = await ask<{ readonly sessions: readonly string[] }>({ fleet: meters });
  console.log(
    `${meters.toLocaleString("en")} meters, each with a session open (${Math.round((performance.now() - began) / 1000)} s):`,
  );
  const items = [{ apdu: getRequest({ classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 2 }) }];
  const one = async (): Promise<void> => {
    const session = sessions[Math.floor(Math.random() * meters)] as string;
    const [result] = await client.seal({ session, items });
    if (result?.kind !== "sealed") throw new Error("something was refused");
  };
  const latencies: number[] = [];
  let batches = 0;
  const run = async (end: number): Promise<void> => {
    while (performance.now() < end) {
      const from = performance.now();
      await Promise.all(Array.from({ length: BATCH }, one));
      latencies.push(performance.now() - from);
      batches += 1;
    }
  };
  const all = (milliseconds: number) => {
    const end = performance.now() + milliseconds;
    return Promise.all(Array.from({ length: BATCHES_UNDER_WAY }, () => run(end)));
  };
  await all(500);
  latencies.length = 0;
  batches = 0;
  const before = await ask<{ readonly cpu: NodeJS.CpuUsage }>({ cpu: true });
  const from = performance.now();
  await all(seconds * 1000);
  const wall = (performance.now() - from) / 1000;
  const after = await ask<{ readonly cpu: NodeJS.CpuUsage }>({ cpu: true });
  const cpu = (after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system) / 1e6;
  const seals = batches * BATCH;
  const [bare, bareUnsealing] = [
    ofCore(seconds, bareSeal(items[0]!.apdu)),
    ofCore(seconds, bareUnseal(items[0]!.apdu)),
  ];
  const rate = seals / cpu;
  console.log(
    `batches of ${BATCH}, unsealed each time  ${perSecond(seals / wall)} seals a second, ${perSecond(rate)} a custodian core second, ` +
      `p50 ${percentile(latencies, 0.5)} ms, p99 ${percentile(latencies, 0.99)} ms a batch`,
  );
  console.log(
    `  bare AES-GCM ${perSecond(bare)} a core second (${(bare / rate).toFixed(1)} times), with both keys unsealed ${perSecond(bareUnsealing)} (${(bareUnsealing / rate).toFixed(1)} times)`,
  );
  await client.close();
  child.disconnect();
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
