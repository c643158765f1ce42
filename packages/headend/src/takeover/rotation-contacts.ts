import type { Custodian } from "@meterkeep/api/custodian";
import type { MeterDirectory } from "../inventory/directory.ts";
import type { MeterId } from "../inventory/meter.ts";
import { LANES, type WorkQueue } from "../work/lease.ts";

export interface RotationContactPorts {
  readonly custodian: Pick<Custodian, "contactsDue">;
  readonly directory: Pick<MeterDirectory, "find">;
  readonly queue: Pick<WorkQueue, "due">;
  now(): number;
}

/** Meters asked for at a time: the custodian's rate decides how many there are. */
const AT_A_TIME = 64;

/**
 * Asks the custodian which meters want a contact for their keys, and makes them due. Which and when is the custodian's
 * to say: it alone knows how old keys are. @returns how many.
 */
export async function queueRotationContacts(ports: RotationContactPorts): Promise<number> {
  const { meters } = await ports.custodian.contactsDue({ limit: AT_A_TIME });
  const known = meters.flatMap((title): MeterId[] => {
    const meter = ports.directory.find(title);
    return meter === undefined ? [] : [meter.id];
  });
  if (known.length > 0) await ports.queue.due(known, ports.now(), LANES.takeover, "rotate");
  return known.length;
}
