import { spawn } from "node:child_process";
import { createSecretKey, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  type AssociationConfig,
  frameCountersFrom,
  fromHex,
  localAssociator,
  openSession,
  risingCountersFrom,
  sealApdu,
  systemTitle,
} from "@meterkeep/dlms";
import { connectWrapper, nodeCiphers, nodeRandom } from "@meterkeep/dlms-node";

// One association with a meter in another process, over the wrapper on loopback, mechanism 5, suite 0, authenticated and
// encrypted: GET of attribute 3 of a register, one after the other. First with our client, then with requests that were
// sealed beforehand and answers that are not opened, which is how the figures of other servers in peers.md were taken.

const HOST = "127.0.0.1";
const REGISTER = { classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 3 };
const GET_REGISTER = fromHex("c001c100030100010800ff0300");
const ciphering = {
  ciphers: nodeCiphers,
  suite: 0,
  authenticated: true,
  encrypted: true,
  form: "global",
  encryptionKey: createSecretKey(fromHex("000102030405060708090a0b0c0d0e0f")),
  authenticationKey: fromHex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"),
} as const;
const WARM_TRIPS = 5000;
const MOST_TRIPS_A_SECOND = 60_000;
const client = systemTitle(fromHex("4d4b480000000001"));

/** Measures round trips a second, for about `seconds` each way. */
export async function benchLoopback(seconds: number): Promise<void> {
  const meter = spawn(process.execPath, [fileURLToPath(new URL("loopback-meter.ts", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    const [port] = (await once(createInterface(meter.stdout), "line")) as [string];
    await benchSession(Number(port), seconds);
    await benchSealed(Number(port), seconds);
  } finally {
    meter.stdin.end();
  }
}

async function benchSession(port: number, seconds: number): Promise<void> {
  await using line = await connectWrapper({ host: HOST, port, clientSap: 1, serverSap: 1 });
  const config: AssociationConfig<KeyObject> = {
    authentication: { kind: "gmac", challenge: nodeRandom(16) },
    systemTitle: client,
    ciphering,
  };
  const associator = localAssociator(config, {
    frameCounters: frameCountersFrom(1),
    receivedCounters: risingCountersFrom(0),
  });
  const session = await openSession({ exchange: line.exchange, associator });
  const trips = await measure(seconds, () => session.get(REGISTER));
  report("our client and our meter", trips);
}

/** Requests sealed beforehand, so that the meter is what is measured. */
async function benchSealed(port: number, seconds: number): Promise<void> {
  await using line = await connectWrapper({ host: HOST, port, clientSap: 1, serverSap: 1 });
  const first = 100_000_000;
  const config: AssociationConfig<KeyObject> = {
    authentication: { kind: "gmac", challenge: nodeRandom(16) },
    systemTitle: client,
    ciphering,
  };
  const counters = { frameCounters: frameCountersFrom(first), receivedCounters: risingCountersFrom(0) };
  await openSession({ exchange: line.exchange, associator: localAssociator(config, counters) });
  // The association belongs to the connection, so the sealed requests go over the same one.
  const requests: Uint8Array[] = [];
  for (let index = 0; index < WARM_TRIPS + seconds * MOST_TRIPS_A_SECOND; index += 1)
    requests.push(sealApdu({ ciphering, client }, GET_REGISTER, first + 10 + index));
  requests.reverse();
  const signal = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };
  const trips = await measure(seconds, () => line.exchange(requests.pop() as Uint8Array, signal));
  report("our meter, requests sealed beforehand", trips);
}

interface Trips {
  readonly perSecond: number;
  readonly microseconds: Float64Array;
}

async function measure(seconds: number, trip: () => Promise<unknown>): Promise<Trips> {
  for (let warm = 0; warm < WARM_TRIPS; warm += 1) await trip();
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  const started = performance.now();
  let before = started;
  while (before < end) {
    await trip();
    const now = performance.now();
    times.push((now - before) * 1000);
    before = now;
  }
  const microseconds = Float64Array.from(times).sort();
  return { perSecond: (times.length / (before - started)) * 1000, microseconds };
}

function report(what: string, { perSecond, microseconds }: Trips): void {
  const at = (share: number): string => (microseconds[Math.floor(microseconds.length * share)] ?? 0).toFixed(0);
  console.log(
    `loopback, ${what}: ${Math.round(perSecond).toLocaleString("en")} round trips/s, p50 ${at(0.5)} us, p99 ${at(0.99)} us`,
  );
}
