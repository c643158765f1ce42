import type { AnchorState } from "@meterkeep/api/custodian";
import { isAgainstAuthority, type PkiStore } from "@meterkeep/pki";
import type { Pki } from "../pki/open-pki.ts";
import type { MeterRecord } from "../store/records.ts";
import type { EnrolmentJournal } from "./journal.ts";
import { certificateId } from "./meter-authority.ts";

/** What is known of the trust anchors of a meter: what it showed goes before what its shipment says. */
export function anchorStateOf(
  { anchors = [] }: Pick<MeterRecord, "anchors">,
  journal: Pick<EnrolmentJournal, "anchor" | "trusts" | "verdict"> | undefined,
  compromised: ReadonlySet<string>,
): AnchorState {
  const held = [...anchors, ...(journal?.trusts === undefined ? [] : [journal.trusts])];
  if (held.some((one) => compromised.has(one))) return "compromised";
  if (journal?.verdict === "anchor-missing") return "missing";
  if (journal?.verdict === "anchor-differs") return "other";
  if (journal?.anchor === "verified") return "verified";
  return anchors.length === 0 ? "unknown" : "ordered";
}

/** Roots that are being revoked, or were: SHA-256 of their certificates, hex. Nothing changes an anchor that is burned in. */
export async function compromisedAnchors(
  plans: Pick<PkiStore["plans"], "list">,
  authorities: Pick<Pki["authorities"], "all">,
): Promise<ReadonlySet<string>> {
  const fallen = new Set((await plans.list()).filter(isAgainstAuthority).map(({ authority }) => authority));
  const roots = (await authorities.all()).filter(
    ({ authority, parent }) => parent === undefined && fallen.has(authority),
  );
  return new Set(roots.map(({ certificate }) => certificateId(certificate)));
}
