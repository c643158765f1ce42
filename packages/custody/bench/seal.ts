import { fork } from "node:child_process";
import { createCipheriv, createSecretKey, randomBytes } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import { fromHex, systemTitle, toHex } from "@meterkeep/dlms";
import { getRequest } from "../src/protocol/requests.ts";
import type { KeyKeeping } from "../src/session/session-keys.ts";
import { percentile, perSecond } from "./figures.ts";

const IN_FLIGHT = 64;

interface Begun {
  readonly socketPath: string;
  readonly systemTitle: string;
  readonly headEnd: { readonly certificate: string; readonly privateKey: string };
  readonly custodianCertificate: string;
}

/** As `meterkeep start` gives a custodian for what is young, and for the rest where it holds few sessions. */
const YOUNG = "--max-semi-space-size=32";
const REST = "--max-old-space-size=192";

/** A custodian in a process of its own, with a session to seal in; with `inDatabase` in the memory that an installed one has. */
export async function sealingCustodian(keeping: KeyKeeping, { inDatabase = false } = {}) {
  const child = fork(
    fileURLToPath(new URL("seal-custodian.ts", import.meta.url)),
    inDatabase ? [keeping, "database"] : [keeping],
    { execArgv: inDatabase ? [YOUNG, REST, "--expose-gc"] : [YOUNG] },
  );
  const ask = async <T>(message: object): Promise<T> => {
    const answer = once(child, "message");
    child.send(message);
    return (await answer)[0] as T;
  };
  const [begun] = (await once(child, "message")) as [Begun];
  const client = custodianClient({ ...begun, ...begun.headEnd });
  const meter = systemTitle(fromHex(begun.systemTitle));
  const opened = await client.openSession({ meter, purpose: "read" });
  const { session } = opened;
  for (let send: Uint8Array | undefined = opened.apdu; send !== undefined; ) {
    const { answer } = await ask<{ readonly answer: string }>({ exchange: toHex(send) });
    const advance = await client.advanceSession({ session, received: fromHex(answer) });
    if (advance.kind === "failed") throw new Error(advance.message);
    send = advance.kind === "send" ? advance.apdu : undefined;
  }
  return { child, client, session, meter, ask };
}

/**
 * Seals a second through the socket, each APDU decoded and judged, in batches of 1, 16 and 64 with 64 calls under way,
 * beside bare AES-GCM in this process. `keeping` says how long the custodian has the keys in clear.
 */
export async function benchSeal(keeping: KeyKeeping, seconds: number): Promise<void> {
  const { child, client, session, ask } = await sealingCustodian(keeping);
  const request = getRequest({ classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 2 });
  const bare = bareSeals(request, seconds);
  console.log(`bare AES-GCM in this process     ${perSecond(bare)} seals a second`);
  for (const batch of [1, 16, 64]) {
    const items = Array.from({ length: batch }, () => ({ apdu: request }));
    const before = await ask<{ readonly cpu: NodeJS.CpuUsage }>({ cpu: true });
    const { calls, milliseconds, latencies } = await load(seconds, async () => {
      const results = await client.seal({ session, items });
      if (results.some(({ kind }) => kind !== "sealed")) throw new Error("something was refused");
    });
    const after = await ask<{ readonly cpu: NodeJS.CpuUsage }>({ cpu: true });
    const seals = (calls * batch * 1000) / milliseconds;
    const cpuSeconds = (after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system) / 1e6;
    const ofCore = (calls * batch) / cpuSeconds;
    console.log(
      `batches of ${String(batch).padStart(2)}, ${IN_FLIGHT} under way  ${perSecond(seals)} seals a second, ${perSecond(ofCore)} a custodian core second, ` +
        `p50 ${percentile(latencies, 0.5)} ms, p99 ${percentile(latencies, 0.99)} ms, ${(bare / seals).toFixed(1)} times slower than bare`,
    );
  }
  const alone: number[] = [];
  const items = [{ apdu: request }];
  for (const end = performance.now() + seconds * 500; performance.now() < end; ) {
    const from = performance.now();
    await client.seal({ session, items });
    alone.push(performance.now() - from);
  }
  console.log(`one call at a time               p50 ${percentile(alone, 0.5)} ms, p99 ${percentile(alone, 0.99)} ms`);
  await client.close();
  child.disconnect();
}

async function load(seconds: number, call: () => Promise<void>) {
  const latencies: number[] = [];
  const began = performance.now();
  const end = began + seconds * 1000;
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      const from = performance.now();
      await call();
      latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return { calls: latencies.length, milliseconds: performance.now() - began, latencies };
}

/** What AES-GCM alone does here. */
export function bareSeals(text: Uint8Array, seconds: number): number {
  const key = createSecretKey(randomBytes(16));
  const [iv, aad] = [randomBytes(12), randomBytes(17)];
  let count = 0;
  const began = performance.now();
  const end = began + seconds * 500;
  while (performance.now() < end)
    for (let each = 0; each < 100; each += 1) {
      const cipher = createCipheriv("aes-128-gcm", key, iv, { authTagLength: 12 });
      cipher.setAAD(aad);
      cipher.update(text);
      cipher.final();
      cipher.getAuthTag();
      count += 1;
    }
  return (count * 1000) / (performance.now() - began);
}
