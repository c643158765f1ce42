import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type CapacityFigures,
  type IslandDemand,
  islandNeed,
  PLANNED_SHARE,
  simulateMorning,
} from "./capacity-model.ts";
import { option } from "./usage.ts";

// How much machine a fleet needs: the arithmetic of capacity-model.ts from measured figures, and a simulation of a morning,
// meter by meter, that checks it. `--meters N` of the largest fleet, 25 million unless given; `--cpu MS` a session of all
// processes, where another machine measured something else; `--write 1` writes docs/capacity.md.

const largest = option("meters", 25_000_000);
const figures: CapacityFigures = {
  cpuMillisecondsPerSession: {
    value: option("cpu", 3.5),
    unit: "ms",
    source:
      "measured by `npm run bench -- headend --minutes 2`: the dearest of four quiet runs at 300 a second on two cores, without the virtual meters",
  },
  custodianMillisecondsPerSession: {
    value: option("custodian", 0.9),
    unit: "ms",
    source: "measured likewise; the target is 0.6",
  },
  packedBytesPerMeterDay: {
    value: option("packed", 440),
    unit: "octets",
    source: "192 values with the key, measured by `npm run bench -- readings --meters 1000000`",
  },
  evidenceBytesPerSession: {
    value: option("evidence", 19_000),
    unit: "octets",
    source:
      "what the head-end's database grows by, less the packed day, measured by `npm run bench -- headend`: evidence, ladder, session and registers with their indexes, and what is not cleaned up yet",
  },
  ledgerBytesPerSession: {
    value: option("ledger", 860),
    unit: "octets",
    source:
      "measured over 4 000 sessions at a custodian over PostgreSQL: three entries of the ledger, counters, windows",
  },
};
const HOUR = 3_600;
const ISLAND_METERS = 1_000_000;
const fleets = [100_000, 1_000_000, 5_000_000, largest];
const lines: string[] = [];
const say = (line = ""): void => {
  lines.push(line);
};

say("# Capacity");
say();
say(
  "Made by `npm run bench -- capacity --write 1`: arithmetic (`test/bench/capacity-model.ts`) from figures, checked by a simulation of a morning, meter by meter. Figures that are targets or assumptions say so; put in what your machine measures with `--cpu`, `--custodian`, `--packed`, `--evidence` and `--ledger`.",
);
say();
say("| figure | value | where it is from |");
say("|---|---|---|");
for (const [name, { value, unit, source }] of Object.entries(figures))
  say(`| ${name.replace(/([A-Z])/g, " $1").toLowerCase()} | ${value} ${unit} | ${source} |`);
say();
say(
  "An island reads each of its meters once between midnight and 08:00, and three tenths of that time are reserve; a session lasts 10 s on the line, a meter that is silent is given up after 40 s, 5 % are silent. Evidence, packed days and the ledger are kept 400 days.",
);
say();
say("| meters | islands | sessions/s | cores | of them custodian | places | rows/day | GB/day | TB in 400 days |");
say("|---|---|---|---|---|---|---|---|---|");
const demandOf = (meters: number): IslandDemand => ({
  meters,
  windowSeconds: 8 * HOUR,
  latencySeconds: 10,
  timeoutSeconds: 40,
  deadShare: 0.05,
  keepDays: 400,
});
const round = (value: number, digits = 0): string =>
  value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
for (const meters of fleets) {
  const need = islandNeed(demandOf(meters), figures);
  say(
    `| ${round(meters)} | ${Math.ceil(meters / ISLAND_METERS)} | ${round(need.sessionsPerSecond, 1)} | ${round(need.cores, 2)} | ${round(need.custodianCores, 2)} | ${round(need.places)} | ${round(need.rowsPerDay)} | ${round(need.gigabytesPerDay, 1)} | ${round(need.terabytesKept, 2)} |`,
  );
}
say();
say("## Simulated");
say();
say(
  `Islands of ${round(ISLAND_METERS)} meters with the cores and places that the table gives them, each simulated to its last meter; the slowest island counts. Shares are of the meters that answer.`,
);
say();
say("| meters | islands | sessions | of them in vain | 98 % after | 99.5 % after | all after |");
say("|---|---|---|---|---|---|---|");
const hours = (seconds: number): string => `${(seconds / HOUR).toFixed(2)} h`;
for (const meters of fleets) {
  const islands = Math.ceil(meters / ISLAND_METERS);
  const demand = demandOf(meters / islands);
  const need = islandNeed(demand, figures);
  const given = {
    cores: need.cores,
    places: need.places,
    cpuMillisecondsPerSession: figures.cpuMillisecondsPerSession.value,
  };
  let sum = { sessions: 0, inVain: 0, read98: 0, read995: 0, readAll: 0 };
  for (let island = 1; island <= islands; island += 1) {
    const one = simulateMorning(demand, given, island);
    sum = {
      sessions: sum.sessions + one.sessions,
      inVain: sum.inVain + one.inVain,
      read98: Math.max(sum.read98, one.read98),
      read995: Math.max(sum.read995, one.read995),
      readAll: Math.max(sum.readAll, one.readAll),
    };
  }
  say(
    `| ${round(meters)} | ${islands} | ${round(sum.sessions)} | ${round(sum.inVain)} | ${hours(sum.read98)} | ${hours(sum.read995)} | ${hours(sum.readAll)} |`,
  );
}
say();
say(
  `The arithmetic plans for ${hours(8 * HOUR * PLANNED_SHARE)}; what the simulation takes beyond that are the tries in vain, which the arithmetic leaves to the reserve, and the last sessions on the line.`,
);
console.log(lines.join("\n"));
if (option("write", 0) === 1)
  writeFileSync(fileURLToPath(new URL("../../docs/capacity.md", import.meta.url)), `${lines.join("\n")}\n`);
