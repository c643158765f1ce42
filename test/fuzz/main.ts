/**
 * `npm run fuzz -- [--inputs N] [--seed S] [--only NAME]`: mutates captures and recorded exchanges, or our own examples where those
 * are not here, and gives the results to every parser. A line a parser and a total; inputs that found something are printed in hex.
 */
import { toHex } from "@meterkeep/dlms";
import { heapLeftPerOctet, runCampaign, TARGETS } from "./campaign.ts";
import { findSeeds } from "./seeds.ts";

const inputs = Number(option("--inputs") ?? 1_000_000);
const seed = Number(option("--seed") ?? Date.now() % 1_000_000);
const only = option("--only");
const seeds = findSeeds();
const targets = TARGETS.filter(({ name }) => only === undefined || name.includes(only));
const each = Math.ceil(inputs / targets.length);
const totals = { inputs: 0, findings: 0 };

console.log(
  `seed ${seed}; ${seeds.apdus.length} APDUs and ${seeds.frames.length} frames to start from (${seeds.source})`,
);
for (const [at, target] of targets.entries()) {
  const report = runCampaign(target, seeds, each, seed + at);
  const { name, taken, milliseconds, slowest, findings } = report;
  totals.inputs += report.inputs;
  totals.findings += findings.length;
  const left = heapLeftPerOctet(target, seeds, 2000);
  console.log(
    `${findings.length === 0 ? "ok  " : "FAIL"} ${name.padEnd(22)} ${each.toLocaleString("en")} inputs, ` +
      `${((100 * taken) / each).toFixed(0)} % taken, ${Math.round((each / milliseconds) * 1000).toLocaleString("en")}/s, ` +
      `slowest ${(slowest.nanosecondsAnOctet / 1000).toFixed(1)} us an octet, ${left.toFixed(2)} octets of heap kept an octet`,
  );
  for (const { what, input } of findings) console.log(`     ${what}\n     ${toHex(input)}`);
}
console.log(
  `${totals.inputs.toLocaleString("en")} inputs: every outcome a value or an error with a code, but for ${totals.findings}`,
);
console.log(
  `${targets.length - Math.min(totals.findings, targets.length)} passed, ${Math.min(totals.findings, targets.length)} failed`,
);
if (totals.findings > 0) process.exitCode = 1;

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}
