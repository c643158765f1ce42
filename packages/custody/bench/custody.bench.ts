import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { benchRecords } from "./records.ts";

// `npm run bench -- custody [--seconds N] [--minutes N] [--records [N]]`: what the custodian does in a second.

const number = (name: string, usual: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? Number.NaN : Number(process.argv[at + 1]);
  return Number.isFinite(value) ? value : usual;
};

const folder = mkdtempSync(join(tmpdir(), "meterkeep-bench-"));
try {
  if (process.argv.includes("--records"))
    await benchRecords(number("records", 25_000_000), number("seconds", 15), folder);
} finally {
  rmSync(folder, { recursive: true });
}
