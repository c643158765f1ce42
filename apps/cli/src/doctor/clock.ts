import { type Finding, ok, problem } from "./finding.ts";

const DAY_MS = 86_400_000;
const FIX = "Set the clock (timedatectl set-ntp true): readings, certificates and the ledger carry its time.";

/**
 * Looks for a clock that cannot be right: files of the program lie in its future. `now` and `newestFile` are in
 * milliseconds since 1970.
 */
export function checkClock(now: number, newestFile: number, zone: string): Finding {
  const text = `${new Date(now).toISOString()} (zone ${zone}; Meterkeep works in UTC)`;
  if (newestFile - now > DAY_MS) {
    const days = Math.round((newestFile - now) / DAY_MS);
    return problem("clock", "failed", `${text} is ${days} days before the newest file of the program`, FIX);
  }
  return ok("clock", text);
}
