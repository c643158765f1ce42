import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeWrapper } from "@meterkeep/dlms";
import { ask, ownerClient } from "../src/api-client.ts";
import { collectSecrets } from "../src/custody-keys.ts";
import { makeAlarm, makePush, type PushingMeter } from "../src/pushing-meter.ts";
import { startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";
import { cpuSeconds, machineLoad, option, processesOf, yardstick } from "./usage.ts";

// Authenticated notifications a second that are opened by the custodian, judged, and stored with their evidence, every
// process real; then last-gasps of a fleet that loses its power together. They are made before the clock starts, and come
// over TCP from many addresses of this machine. `--meters N` `--rate N` `--seconds N` `--gasps N`.

const homes = option("meters", 200);
const rate = option("rate", 3_000);
const seconds = option("seconds", 20);
const gasps = option("gasps", 10_000);
const GASP_SECONDS = 10;
const ADDRESSES = 64;
const SLICE_MS = 50;

await using meterkeep = await startMeterkeep({ meters: homes, speed: 1, readyWithinMs: 300_000 });
const api = await ownerClient(meterkeep);
const { stdout } = await meterkeep.command(["token", "create", "bench", "--json"]);
const { token } = JSON.parse(stdout) as { readonly token: string };
await until(
  "every meter is taken over",
  async () => (await api.meters()).every(({ takeover }) => takeover === "proven" || takeover === "refused"),
  { patienceMs: 600_000, everyMs: 1_000 },
);
const proven = new Set(
  (await api.meters()).filter(({ takeover }) => takeover === "proven").map((one) => one.systemTitle),
);
const keys = new Map<string, { encryption?: Uint8Array; authentication?: Uint8Array }>();
for (const { meter, name, state, octets } of await collectSecrets(meterkeep.stateDirectory)) {
  if (meter === undefined || state !== "active" || !proven.has(meter)) continue;
  const own = keys.get(meter) ?? {};
  keys.set(meter, own);
  if (name.startsWith("GUEK")) own.encryption = octets;
  else if (name.startsWith("GAK")) own.authentication = octets;
}
const meters: PushingMeter[] = [...keys].flatMap(([title, { encryption, authentication }]) =>
  encryption === undefined || authentication === undefined
    ? []
    : [{ title, encryptionKey: encryption, authenticationKey: authentication }],
);

/** Outcomes of pushes so far, by the server's own count. */
async function outcomes(): Promise<ReadonlyMap<string, number>> {
  const { text } = await ask(`${meterkeep.address}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  return new Map(
    [...text.matchAll(/^meterkeep_pushes_total\{outcome="([^"]+)"\} (\d+)/gm)].map(([, outcome, count]) => [
      outcome as string,
      Number(count),
    ]),
  );
}

/** Sends them evenly, those of a meter from one address, over so many seconds, and waits until each has come to something. */
async function run(name: string, frames: readonly Uint8Array[], overSeconds: number): Promise<void> {
  const sockets = await Promise.all(
    Array.from({ length: ADDRESSES }, async (_, n) => {
      const socket = connect({ port: meterkeep.ports.push, host: "127.0.0.1", localAddress: `127.1.0.${n + 1}` });
      socket.resume();
      await once(socket, "connect");
      return socket;
    }),
  );
  const before = await outcomes();
  const cpu = new Map([...processesOf(meterkeep)].map(([process, pids]) => [process, cpuSeconds(pids)]));
  const started = performance.now();
  for (let sent = 0; sent < frames.length; ) {
    const due = Math.min(
      frames.length,
      Math.ceil(((performance.now() - started) / 1000 / overSeconds) * frames.length),
    );
    for (; sent < due; sent += 1) sockets[(sent % meters.length) % ADDRESSES]?.write(frames[sent] as Uint8Array);
    await sleep(SLICE_MS);
  }
  const offered = (performance.now() - started) / 1000;
  const came = await until(
    "each has come to something",
    async () => {
      const after = await outcomes();
      const counts = new Map([...after].map(([outcome, count]) => [outcome, count - (before.get(outcome) ?? 0)]));
      counts.delete("alarm");
      return [...counts.values()].reduce((sum, count) => sum + count, 0) >= frames.length && counts;
    },
    { patienceMs: 300_000, everyMs: 250 },
  );
  const elapsed = (performance.now() - started) / 1000;
  for (const socket of sockets) socket.destroy();
  const accepted = came.get("accepted") ?? 0;
  const rest = [...came].filter(([outcome, count]) => outcome !== "accepted" && count > 0).map((one) => one.join(" "));
  console.log(
    `  ${name.padEnd(14)} ${frames.length} offered in ${offered.toFixed(1)} s, ${accepted} stored in ${elapsed.toFixed(1)} s: ${(accepted / elapsed).toFixed(0)} a second${rest.length > 0 ? `; ${rest.join(", ")}` : ""}`,
  );
  for (const [process, pids] of processesOf(meterkeep)) {
    const used = cpuSeconds(pids) - (cpu.get(process) ?? 0);
    if (used > 0.5)
      console.log(`    CPU of ${process.padEnd(12)} ${((used * 1000) / frames.length).toFixed(3)} ms a push`);
  }
}

const now = new Date((await api.call("overview")).clock.now);
let counter = 0x1000_0000;
const frame = (n: number, make: (meter: PushingMeter, counter: number) => Uint8Array): Uint8Array => {
  counter += 1;
  return encodeWrapper(1, 102, make(meters[n % meters.length] as PushingMeter, counter));
};
console.log(`${meters.length} meters, ${ADDRESSES} addresses, load of the machine ${machineLoad()}`);
console.log(`a core of this machine is worth ${yardstick()}`);
const reports = Array.from({ length: rate * seconds }, (_, n) =>
  frame(n, (meter, at) => makePush(meter, at, { energyWh: n, now: new Date(now.getTime() + n) })),
);
await run("notifications", reports, seconds);
const alarms = Array.from({ length: gasps }, (_, n) =>
  frame(n, (meter, at) => makeAlarm(meter, at, 0x02, new Date(now.getTime() + n))),
);
await run("last-gasps", alarms, GASP_SECONDS);
