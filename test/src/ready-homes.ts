import type { MeterSummary } from "@meterkeep/api";
import { said } from "./authority.ts";
import type { Meterkeep } from "./start-meterkeep.ts";
import { until } from "./until.ts";

/** Taking over a town takes minutes on a machine that is busy. */
const PATIENCE_MS = 300_000;

/** Waits for homes that were taken over and have supply, and whose load is known, and gives the first so many. */
export function readyHomes(
  at: Pick<Meterkeep, "command" | "stateDirectory">,
  count: number,
): Promise<readonly string[]> {
  return until(
    `${count} homes are taken over`,
    async () => {
      const all = await said<readonly MeterSummary[]>(at, "meter", "list");
      const ready = all.filter(
        ({ role, takeover, supply, powerW }) =>
          role === "home" && takeover === "proven" && supply === "connected" && powerW !== undefined,
      );
      return ready.length >= count && ready.slice(0, count).map(({ systemTitle }) => systemTitle);
    },
    { patienceMs: PATIENCE_MS, everyMs: 1000 },
  );
}
