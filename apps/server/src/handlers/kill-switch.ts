import type { Context } from "./context.ts";
import { record } from "./record.ts";

/** What throwing the switch needs. */
type KillSwitchPorts = Parameters<typeof record>[0] & { readonly custodian: Pick<Context["custodian"], "freeze"> };

/**
 * Freezes everything critical at the custodian, and gives how long that took in milliseconds. First of all: what is written about
 * it comes after, and is never in the way. `more` is what else stands in the ledger's entry.
 */
export async function throwKillSwitch(
  ports: KillSwitchPorts,
  by: string,
  reason: string,
  more: () => Readonly<Record<string, string | number>> = () => ({}),
): Promise<number> {
  const began = performance.now();
  await ports.custodian.freeze({ reason: `${by}: ${reason}` });
  const milliseconds = Math.ceil(performance.now() - began);
  await record(ports, "kill-switch-on", by, { reason, milliseconds, ...more() });
  return milliseconds;
}
