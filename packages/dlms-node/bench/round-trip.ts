import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createCipheriv, createDecipheriv } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { concatBytes, fromHex } from "@meterkeep/dlms";
import { associate, CIPHERING, CLIENT, type SecuredSession, startBenchMeter } from "./start-meter.ts";

// What a round trip of our client and our meter is made of, without anybody else's program: the pair itself, the same two
// processes when they only send octets back and forth, and the four AES-GCM operations in it by node:crypto alone. They take
// turns. Measured twice: as the system schedules the processes, where waking a processor that sleeps is most of it, and with
// both on one processor, where nothing sleeps and what remains is work.

const RUNS = 5;
const TRIPS_A_RUN = 10_000;
const WARM_TRIPS = 20_000;
const ECHOED_BYTES = 40;
const TAG_BYTES = 12;
const THIS_FILE = fileURLToPath(import.meta.url);
const ECHO_SERVER = fileURLToPath(new URL("echo-server.ts", import.meta.url));

/** Prints it in both arrangements; in the second only where the system can bind processes. */
export function benchRoundTrip(): void {
  measureIn("as scheduled", process.execPath, [THIS_FILE]);
  if (spawnSync("taskset", ["-V"]).status === 0)
    measureIn("both processes on one core", "taskset", ["-c", "0", process.execPath, THIS_FILE]);
  else console.log("round trip, both processes on one core: not measured, there is no taskset");
}

/** A process of its own, since children inherit what it is bound to. */
function measureIn(arrangement: string, command: string, options: readonly string[]): void {
  const { status, stdout } = spawnSync(command, options, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
  console.log(status === 0 ? `round trip, ${arrangement}: ${stdout.trim()}` : `round trip, ${arrangement}: failed`);
}

async function measure(): Promise<void> {
  await using meter = await startBenchMeter();
  await using secured = await associate(meter.address);
  const { echo, server } = await startEcho();
  const pair: number[] = [];
  const floor: number[] = [];
  const operations: number[] = [];
  const kinds = [
    [pair, readsOf(secured)],
    [floor, echo],
    [operations, fourOperations()],
  ] as const;
  for (const [, trip] of kinds) await time(trip, WARM_TRIPS);
  for (let run = 0; run < RUNS; run += 1)
    for (const [times, trip] of kinds) times.push(...(await time(trip, TRIPS_A_RUN)));
  server.kill();
  const [whole, sockets, ciphering] = [pair, floor, operations].map(median) as [number, number, number];
  console.log(
    `p50 ${whole.toFixed(1)} us; an echo between the same two processes ${sockets.toFixed(1)} us, its four AES-GCM operations ` +
      `alone ${ciphering.toFixed(1)} us, and ${(whole - sockets - ciphering).toFixed(1)} us for all the rest`,
  );
}

function readsOf({ session }: SecuredSession): () => Promise<unknown> {
  const address = { classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 3 };
  return () => session.get(address);
}

async function startEcho(): Promise<{ readonly echo: () => Promise<void>; readonly server: ChildProcess }> {
  const server = spawn(process.execPath, [ECHO_SERVER], { stdio: ["pipe", "pipe", "inherit"] });
  const [port] = (await once(createInterface(server.stdout), "line")) as [string];
  const socket: Socket = connect({ host: "127.0.0.1", port: Number(port), noDelay: true });
  await once(socket, "connect");
  const octets = Buffer.alloc(ECHOED_BYTES);
  let returned: () => void = () => {};
  socket.on("data", () => returned());
  const echo = () =>
    new Promise<void>((resolve) => {
      returned = resolve;
      socket.write(octets);
    });
  return { echo, server };
}

/** A request and a response, sealed by one side and opened by the other. */
function fourOperations(): () => void {
  const { encryptionKey, authenticationKey } = CIPHERING;
  const aad = concatBytes(Uint8Array.of(0x30), authenticationKey);
  const vector = concatBytes(CLIENT, new Uint8Array(4));
  const texts = [fromHex("c001c100030100010800ff0300"), fromHex("c401c10002020ffe161e")];
  const options = { authTagLength: TAG_BYTES };
  return () => {
    for (const text of texts) {
      const sealing = createCipheriv("aes-128-gcm", encryptionKey, vector, options).setAAD(aad);
      const sealed = sealing.update(text);
      sealing.final();
      const opening = createDecipheriv("aes-128-gcm", encryptionKey, vector, options).setAAD(aad);
      opening.setAuthTag(sealing.getAuthTag());
      opening.update(sealed);
      opening.final();
    }
  };
}

async function time(trip: () => unknown, trips: number): Promise<readonly number[]> {
  const microseconds: number[] = [];
  let before = performance.now();
  for (let count = 0; count < trips; count += 1) {
    await trip();
    const now = performance.now();
    microseconds.push((now - before) * 1000);
    before = now;
  }
  return microseconds;
}

function median(values: readonly number[]): number {
  return Float64Array.from(values).sort()[values.length >> 1] ?? 0;
}

if (import.meta.main) {
  await measure();
  process.exit(0);
}
