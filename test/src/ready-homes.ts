import type { ApiClient } from "./api-client.ts";
import { until } from "./until.ts";

/** Taking over a town takes minutes on a machine that is busy. */
const PATIENCE_MS = 300_000;

/** Waits for homes that were taken over and have supply, and whose load is known, and gives the first so many. */
export function readyHomes(api: Pick<ApiClient, "meters">, count: number): Promise<readonly string[]> {
  return until(
    `${count} homes are taken over`,
    async () => {
      const ready = (await api.meters()).filter(
        ({ role, takeover, supply, powerW }) =>
          role === "home" && takeover === "proven" && supply === "connected" && powerW !== undefined,
      );
      return ready.length >= count && ready.slice(0, count).map(({ systemTitle }) => systemTitle);
    },
    { patienceMs: PATIENCE_MS },
  );
}
