import type { Exposure } from "@meterkeep/api/custodian";
import type { LedgerReads } from "@meterkeep/ledger";
import { readField, standingOf } from "../lease/field-record.ts";
import type { LeasedMeter } from "../lease/lease-file.ts";
import { rotatedAt } from "../lease/lent-rotation.ts";
import type { MeterFile } from "../store/records.ts";

/** The leases that a meter was in: who had which keys of it. */
export type LeasedOf = readonly {
  readonly leased: LeasedMeter;
  readonly who: string;
  readonly as: "technician" | "handheld lost";
  readonly from: number;
  readonly why: string;
}[];

/** Leases by meter, as the ledger has them. */
export async function leasedMeters(ledger: Pick<LedgerReads, "ofKinds">): Promise<ReadonlyMap<string, LeasedOf>> {
  const byMeter = new Map<string, LeasedOf[number][]>();
  for (const recorded of (await readField(ledger)).leases.values()) {
    const { technician, handheld, lease, from, meters } = recorded.terms;
    const state = standingOf(recorded);
    const isLost = state === "lost";
    for (const leased of meters) {
      const own = recorded.disputes.filter(({ of }) => of === undefined || of === leased.meter);
      const of = byMeter.get(leased.meter) ?? [];
      byMeter.set(leased.meter, of);
      of.push({
        leased,
        who: isLost
          ? `whoever has ${handheld} (of ${technician})`
          : `${technician} (${handheld})${own.length > 0 ? ", and whoever else has used them" : ""}`,
        as: isLost ? "handheld lost" : "technician",
        from,
        why: [`lease ${lease}, ${state}`, ...own.map(({ why }) => why)].join(": "),
      });
    }
  }
  return byMeter;
}

/** The working keys that were lent, until each had a successor that the meter has proven. */
export function ofLeased(file: MeterFile, leased: LeasedOf): Exposure[] {
  return leased.map(({ leased: one, who, as, from, why }): Exposure => {
    const until = rotatedAt(file, one);
    return {
      meter: file.meter.systemTitle,
      who,
      as,
      keys: `GUEK ${one.GUEK}, GAK ${one.GAK}`,
      form: "clear",
      from,
      ...(until !== undefined && { until }),
      why,
    };
  });
}
