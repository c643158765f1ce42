import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { PinRefusals } from "@meterkeep/hsm";

/**
 * How often a token has refused its PIN, in a file beside the custodian: a custodian that is started again and again, by itself or by
 * the system, tries a wrong PIN twice and not until the token locks.
 */
export function pinRefusals(path: string, label: string): PinRefusals {
  const all = (): Readonly<Record<string, unknown>> => {
    try {
      return JSON.parse(readFileSync(path, "utf8")) as Readonly<Record<string, unknown>>;
    } catch {
      // There is none, or nobody can read what it says.
      return {};
    }
  };
  const read = (): number => {
    const count = all()[label];
    return Number.isSafeInteger(count) ? Number(count) : 0;
  };
  return {
    where: path,
    read,
    keep: (count) => {
      if (count === read()) return;
      writeFileSync(`${path}.new`, JSON.stringify({ ...all(), [label]: count }), { mode: 0o600, flush: true });
      renameSync(`${path}.new`, path);
    },
  };
}
