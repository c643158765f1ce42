import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../src/api-client.ts";
import { startMeterkeep } from "../src/start-meterkeep.ts";
import { cpuSeconds, machineLoad, option, processesOf, yardstick } from "./usage.ts";

// Full secured sessions a second against the virtual town, every process real and on its own: association with mechanism 5
// and authenticated encryption, clock, relay, registers, the missing part of the load profile, release, all stored with
// evidence. The town's time runs so fast that a meter's next interval is due as soon as it was read, so the head-end is
// never without work. Pushes of the meters come on top. `--meters N` `--speed N` `--seconds N` `--warm-up N`.

const meters = option("meters", 300);
const speed = option("speed", 900);
const measured = option("seconds", 20);
const warmUp = option("warm-up", 20);

await using meterkeep = await startMeterkeep({ meters, speed });
const { stdout } = await meterkeep.command(["token", "create", "bench", "--json"]);
const { token } = JSON.parse(stdout) as { readonly token: string };

/** A counter of the server's metrics, summed over the labels that match. */
async function counter(name: string, labels: string): Promise<number> {
  const { text } = await ask(`${meterkeep.address}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  return text
    .split("\n")
    .filter((line) => line.startsWith(name) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

interface Sample {
  readonly at: number;
  readonly done: number;
  readonly other: number;
  readonly intervals: number;
  readonly pushes: number;
  readonly cpu: ReadonlyMap<string, number>;
}

async function sample(): Promise<Sample> {
  const all = await counter("meterkeep_sessions_total{", "");
  const done = await counter("meterkeep_sessions_total{", 'purpose="read",outcome="done"');
  return {
    at: performance.now(),
    done,
    other: all - done,
    intervals: await counter("meterkeep_intervals_read_total", ""),
    pushes: await counter("meterkeep_pushes_total{", 'outcome="accepted"'),
    cpu: new Map([...processesOf(meterkeep)].map(([name, pids]) => [name, cpuSeconds(pids)])),
  };
}

await sleep(warmUp * 1000);
const before = await sample();
await sleep(measured * 1000);
const after = await sample();

const elapsed = (after.at - before.at) / 1000;
const sessions = after.done - before.done;
const rate = (value: number): string => (value / elapsed).toFixed(1);
console.log(
  `${meters} homes, time ${speed} times as fast, ${elapsed.toFixed(0)} s measured, load of the machine ${machineLoad()}`,
);
console.log(`a core of this machine is worth ${yardstick()}`);
console.log(
  `  full secured sessions      ${rate(sessions)} a second (${rate(after.other - before.other)} that failed or were takeovers)`,
);
console.log(`  interval values stored     ${rate(after.intervals - before.intervals)} a second`);
console.log(`  pushes stored besides      ${rate(after.pushes - before.pushes)} a second`);
let total = 0;
for (const [name, cpu] of after.cpu) {
  const used = cpu - (before.cpu.get(name) ?? 0);
  total += used;
  console.log(
    `  CPU of ${name.padEnd(18)} ${((used * 1000) / sessions).toFixed(2)} ms a session, ${((used / elapsed) * 100).toFixed(0)} % of a core`,
  );
}
console.log(`  CPU of all                 ${((total * 1000) / sessions).toFixed(2)} ms a session`);
