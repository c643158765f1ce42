import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { benchRecords } from "./records.ts";
import { benchSeal } from "./seal.ts";
import { benchSoak } from "./soak.ts";
import { benchTokens } from "./tokens.ts";
import { benchUnwrapping } from "./unwrapping.ts";

// `npm run bench -- custody [--seconds N]`: what the custodian does in a second, each figure for 3 seconds unless given;
// `--meters N`: of how many meters each seal unseals its keys, 100 000 unless given.
// `--soak [--minutes N]`: its memory under sealing at full rate, 10 minutes unless given.
// `--records [N]`: key records of so many meters in one PostgreSQL on a disk, 25 000 000 unless given (1.65 KB a meter).

const number = (name: string, usual: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? Number.NaN : Number(process.argv[at + 1]);
  return Number.isFinite(value) ? value : usual;
};

const [load = 0] = loadavg();
console.log(
  `${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}), load ${load.toFixed(1)} before, Node ${process.version}`,
);

if (process.argv.includes("--records")) {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-bench-"));
  try {
    await benchRecords(number("records", 25_000_000), number("seconds", 15), folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
} else if (process.argv.includes("--soak")) await benchSoak(number("minutes", 10));
else {
  const seconds = number("seconds", 3);
  console.log("keys in clear while a session is open:");
  await benchSeal("session", seconds);
  console.log("keys unsealed for each call:");
  await benchSeal("call", seconds);
  await benchUnwrapping(seconds, number("meters", 100_000));
  await benchTokens(seconds);
}
