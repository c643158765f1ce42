import type { HeadEndPurpose } from "@meterkeep/api/custodian";
import type { LedgerDraft } from "@meterkeep/ledger";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import type { MeterPlace } from "../store/records.ts";
import { CallRefusal } from "./call-refusal.ts";
import type { Caller } from "./caller.ts";

/** The refusal of a meter that is not there, and of one that the caller may not know is there. */
export function unknownMeter(systemTitle: string): CallRefusal {
  return new CallRefusal("unknown-meter", `meter ${systemTitle} is not in custody`);
}

/** The refusal of a meter whose island is cut. */
export function islandCut({ utility, island, systemTitle }: MeterPlace): CallRefusal {
  return new CallRefusal("island-cut", `${utility}/${island} is cut: nothing is opened to ${systemTitle}`);
}

/** Whether a caller may do that with a meter. */
export function isPermitted({ rights }: Caller, place: MeterPlace, purpose: HeadEndPurpose): boolean {
  return rights === undefined || rights.permits(place, purpose);
}

/**
 * Requires it. The caller hears what it would hear of a meter that nobody has; the ledger, before that, what it was.
 *
 * @throws CallRefusal `unknown-meter`
 */
export async function requireRight(
  caller: Caller,
  place: MeterPlace,
  purpose: HeadEndPurpose,
  { bursts, now }: { readonly bursts: EntryBursts; readonly now: () => number },
): Promise<void> {
  if (isPermitted(caller, place, purpose)) return;
  await bursts.record([beyondRights(caller, place, purpose, now())]);
  throw unknownMeter(place.systemTitle);
}

/** The entry for a meter that a caller has no right to. */
export function beyondRights(caller: Caller, place: MeterPlace, purpose: HeadEndPurpose, at: number): LedgerDraft {
  const { utility, island, systemTitle } = place;
  return {
    at,
    kind: "meter-not-granted",
    principal: caller.name,
    utility,
    island,
    meter: systemTitle,
    body: { purpose },
  };
}
