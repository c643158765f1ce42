import { spawn } from "node:child_process";
import { once } from "node:events";
import { apdu, encode, sealApdu } from "@meterkeep/dlms";
import { associate, type BenchMeter, CIPHERING, CLIENT, type ServerAddress } from "./start-meter.ts";

// One association with a meter in another process, over the wrapper on loopback, mechanism 5, suite 0, authenticated and
// encrypted: GET of attribute 3 of a register, one after the other. Our client with our meter; our client with each other
// server; each server with requests that were sealed beforehand and answers that nobody opens, so that the server is what
// is measured; and each other client with our meter, which counts.

const REGISTER = "1.0.1.8.0.255";
const WARM_TRIPS = 5000;
const MOST_TRIPS_A_SECOND = 60_000;
const RUNS = 3;
const COUNTERS_A_RUN = 1_000_000;

export interface LoopbackOptions {
  readonly seconds: number;
  /** NAME=tcp://HOST:PORT?client=SAP&object=LOGICAL-NAME&counter=FIRST */
  readonly servers: readonly string[];
  /** NAME=COMMAND, in which {port} stands for the meter's. */
  readonly clients: readonly string[];
}

interface Server extends ServerAddress {
  readonly name: string;
  readonly register: string;
  /** The first counter that the server takes: it may have seen others. */
  readonly counter: number;
}

/** Prints round trips a second of every pair. */
export async function benchLoopback(meter: BenchMeter, options: LoopbackOptions): Promise<void> {
  const servers: Server[] = [
    { name: "our meter", register: REGISTER, counter: 1, ...meter.address },
    ...options.servers.map(peerServer),
  ];
  // The servers take turns, so that a busy minute of the machine meets them all.
  const whole = servers.map((): Trips[] => []);
  const sealed = servers.map((): Trips[] => []);
  for (let run = 0; run < RUNS; run += 1)
    for (const [index, server] of servers.entries()) {
      const counter = server.counter + 2 * run * COUNTERS_A_RUN;
      whole[index]?.push(await tripsOfSession(server, counter, options.seconds / RUNS));
      sealed[index]?.push(await tripsSealed(server, counter + COUNTERS_A_RUN, options.seconds / RUNS));
    }
  for (const [index, { name }] of servers.entries()) report(`our client with ${name}`, whole[index] ?? []);
  for (const [index, { name }] of servers.entries())
    report(`requests sealed beforehand with ${name}`, sealed[index] ?? []);
  for (const client of options.clients) await benchClient(meter, ...nameAndRest(client));
}

function peerServer(option: string): Server {
  const [name, address] = nameAndRest(option);
  const { hostname, port, searchParams } = new URL(address);
  const clientSap = Number(searchParams.get("client") ?? 1);
  const counter = Number(searchParams.get("counter") ?? 1);
  const register = searchParams.get("object") ?? REGISTER;
  return { name, host: hostname, port: Number(port), clientSap, register, counter };
}

function nameAndRest(option: string): [name: string, rest: string] {
  const at = option.indexOf("=");
  if (at < 1) throw new Error(`"${option}": NAME=… is wanted`);
  return [option.slice(0, at), option.slice(at + 1)];
}

async function tripsOfSession(server: Server, counter: number, seconds: number): Promise<Trips> {
  await using secured = await associate(server, { counter });
  const address = { classId: 3, logicalName: server.register, attributeId: 3 };
  return await measure(seconds, () => secured.session.get(address));
}

async function tripsSealed(server: Server, counter: number, seconds: number): Promise<Trips> {
  await using secured = await associate(server, { counter });
  const plain = encode(apdu, {
    kind: "get-request",
    value: {
      kind: "normal",
      value: {
        invokeIdAndPriority: { invokeId: 1, confirmed: true, highPriority: true },
        attribute: { classId: 3, instanceId: octetsOf(server.register), attributeId: 3 },
        access: undefined,
      },
    },
  });
  const requests: Uint8Array[] = [];
  for (let index = 0; index < WARM_TRIPS + seconds * MOST_TRIPS_A_SECOND; index += 1)
    requests.push(sealApdu({ ciphering: CIPHERING, client: CLIENT }, plain, secured.nextCounter + index));
  requests.reverse();
  const signal = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };
  // The association belongs to the connection, so the sealed requests go over the same one.
  return await measure(seconds, () => secured.line.exchange(requests.pop() as Uint8Array, signal));
}

/** Another's client: how fast it is, our meter counts. */
async function benchClient(meter: BenchMeter, name: string, command: string): Promise<void> {
  await meter.served();
  const client = spawn("/bin/sh", ["-c", command.replaceAll("{port}", String(meter.address.port))], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [status] = (await once(client, "exit")) as [number | null];
  const { trips, perSecond } = await meter.served();
  const ending = status === 0 ? "" : `; it ended with ${status}`;
  console.log(
    `loopback, ${name} with our meter: ${perSecond.toLocaleString("en")} round trips/s, the median in the later half of ${trips}${ending}`,
  );
}

interface Trips {
  readonly perSecond: number;
  readonly microseconds: readonly number[];
}

async function measure(seconds: number, trip: () => Promise<unknown>): Promise<Trips> {
  for (let warm = 0; warm < WARM_TRIPS; warm += 1) await trip();
  const microseconds: number[] = [];
  const end = performance.now() + seconds * 1000;
  const started = performance.now();
  let before = started;
  while (before < end) {
    await trip();
    const now = performance.now();
    microseconds.push((now - before) * 1000);
    before = now;
  }
  return { perSecond: (microseconds.length / (before - started)) * 1000, microseconds };
}

function report(what: string, runs: readonly Trips[]): void {
  const all = Float64Array.from(runs.flatMap(({ microseconds }) => microseconds)).sort();
  const at = (share: number): string => (all[Math.floor(all.length * share)] ?? 0).toFixed(0);
  const rates = runs.map(({ perSecond }) => Math.round(perSecond).toLocaleString("en"));
  console.log(`loopback, ${what}: ${rates.join(", ")} round trips/s, p50 ${at(0.5)} us, p99 ${at(0.99)} us`);
}

function octetsOf(name: string): Uint8Array {
  return Uint8Array.from(name.split("."), Number);
}
