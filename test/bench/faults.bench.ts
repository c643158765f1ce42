import { runFaults } from "../src/faults/fault-run.ts";
import { machineLoad, option, yardstick } from "./usage.ts";

// All faults at once, for a while (test/src/faults/fault-run.ts): in the end nothing is lost, nothing is there twice, no value is
// wrong, and each command has come to one end.
// `--meters N`, `--speed N`, `--minutes N`, `--workers N`, `--dead N` percent.

const options = {
  meters: option("meters", 60),
  speed: option("speed", 900),
  minutes: option("minutes", 10),
  workers: option("workers", 2),
  deadPercent: option("dead", 5),
  killSeconds: 15,
  commandSeconds: 20,
};
const { faults, injected, right, meters, dead } = await runFaults(options);
console.log(
  `${options.meters} homes, time ${options.speed} times as fast, ${options.workers} workers, ${options.minutes} min of faults, load of the machine ${machineLoad()}`,
);
console.log(`a core of this machine is worth ${yardstick()}`);
console.log(`injected: ${[...injected].map(([what, n]) => `${n} ${what}`).join(", ")}`);
console.log(`${right} values of ${meters} meters are those that were measured; ${dead} meters are dead`);
console.log(faults.length === 0 ? "nothing lost, nothing twice, nothing wrong" : `WRONG:\n${faults.join("\n")}`);
process.exitCode = faults.length === 0 ? 0 : 1;
