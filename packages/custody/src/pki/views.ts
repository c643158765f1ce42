import type { AuthorityView, CertificateView, RevocationPlanView } from "@meterkeep/api/custodian";
import { toHex } from "@meterkeep/dlms";
import {
  type AuthorityRecord,
  type CertificateRecord,
  decodeCertificate,
  type RevocationPlan,
  stateOf,
} from "@meterkeep/pki";
import type { Pki } from "./open-pki.ts";

/** An authority, and whether it stands. */
export async function authorityView(pki: Pki, record: AuthorityRecord): Promise<AuthorityView> {
  const { authorities, revocations, store, keys } = pki;
  const line = await authorities.lineOf(record.authority);
  let fallen: string | undefined;
  for (const { parent, certificate, name } of line) {
    if (parent === undefined) continue;
    const serial = toHex(decodeCertificate(certificate).serial);
    if (await store.registry.isRevoked(parent, serial)) fallen = `${name} was revoked by the authority above it`;
  }
  const held = await revocations.heldBy(line.map(({ authority }) => authority));
  const why = fallen ?? held;
  return {
    authority: record.authority,
    utility: record.utility,
    island: record.island,
    name: record.name,
    profile: record.profile,
    parent: record.parent,
    keyPlace: keys.placeOf(record.keyName),
    state: fallen !== undefined ? "revoked" : held !== undefined ? "held" : "standing",
    why,
    certificate: record.certificate,
    createdAt: record.createdAt,
  };
}

/** Certificates as the registry has them now; the octets of each only where its authority has signed them. */
export async function certificateViews(
  pki: Pick<Pki, "sound" | "now">,
  records: readonly CertificateRecord[],
): Promise<CertificateView[]> {
  const views: CertificateView[] = [];
  for (const record of records) views.push(certificateView(record, (await pki.sound(record))?.octets, pki.now()));
  return views;
}

function certificateView(record: CertificateRecord, octets: Uint8Array | undefined, now: number): CertificateView {
  const { authority, serial, utility, island, profile, subject, systemTitle, keyIdentifier, requester } = record;
  const { notBefore, notAfter, orderedAt, revokedAt, reason } = record;
  return {
    authority,
    serial,
    utility,
    island,
    profile,
    subject,
    systemTitle,
    keyIdentifier,
    requester,
    notBefore,
    notAfter,
    orderedAt,
    state: stateOf(record, now),
    revokedAt,
    reason,
    certificate: octets,
  };
}

export function planView(plan: RevocationPlan): RevocationPlanView {
  const { id, authority, serial, reason, plannedBy, plannedAt, stage, state, meters, finished } = plan;
  return { id, authority, serial, reason, plannedBy, plannedAt, stage, state, meters, finished };
}
