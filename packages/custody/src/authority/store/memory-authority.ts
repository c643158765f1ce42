import { type Direction, flowOf } from "@meterkeep/guard";
import type { LedgerEntry } from "@meterkeep/ledger";
import { DAY_MILLISECONDS } from "../../day.ts";
import { conflict, setupName } from "../../store/memory-names.ts";
import {
  type AuthorityRecords,
  type AuthorityWrite,
  authorityMarkOf,
  type CriticalSeal,
  MONTH_MILLISECONDS,
  type OffCaps,
  type SealCaps,
  type StoredApproval,
  type StoredAuthority,
  type StoredChange,
  type StoredManifest,
  type StoredSeal,
  TEN_MINUTES_MILLISECONDS,
} from "./records.ts";

/** What a store in memory holds of the authority; replaced as a whole by each commit. */
export interface HeldAuthority {
  document: StoredAuthority | undefined;
  manifests: Map<string, StoredManifest>;
  manifestParts: Map<string, Uint8Array>;
  changes: Map<string, StoredChange>;
  approvals: Map<string, StoredApproval>;
  seals: Map<string, StoredSeal>;
}

export function noAuthority(): HeldAuthority {
  return {
    document: undefined,
    manifests: new Map(),
    manifestParts: new Map(),
    changes: new Map(),
    approvals: new Map(),
    seals: new Map(),
  };
}

export function copyOfAuthority({
  document,
  manifests,
  manifestParts,
  changes,
  approvals,
  seals,
}: HeldAuthority): HeldAuthority {
  return {
    document,
    manifests: new Map(manifests),
    manifestParts: new Map(manifestParts),
    changes: new Map(changes),
    approvals: new Map(approvals),
    seals: new Map(seals),
  };
}

/** Keeps the rules that the database keeps. */
export function applyAuthority(draft: HeldAuthority, write: AuthorityWrite): void {
  switch (write.kind) {
    case "put-authority":
      if (write.authority.revision !== (draft.document?.revision ?? 0) + 1)
        throw conflict("the authority is at another revision");
      draft.document = write.authority;
      return;
    case "put-authority-right":
      draft.document = write.authority;
      return;
    case "add-manifest-part": {
      const { hash, part, octets } = write.part;
      const name = `${hash}/${part}`;
      if (!draft.manifestParts.has(name)) draft.manifestParts.set(name, octets);
      return;
    }
    case "add-manifest":
      addOnce(draft.manifests, write.manifest.hash, write.manifest);
      return;
    case "add-change":
      addOnce(draft.changes, write.change.hash, write.change);
      return;
    case "execute-change": {
      const change = draft.changes.get(write.hash);
      if (change === undefined || change.executedAt !== undefined) throw conflict("a change is executed once");
      draft.changes.set(write.hash, { ...change, executedAt: write.at });
      return;
    }
    case "add-approval":
      addOnce(draft.approvals, `${write.approval.hash}/${write.approval.approver}`, write.approval);
      return;
    case "seal-critical": {
      const { seal, mac, caps } = write;
      if (caps !== undefined && isOver([...draft.seals.values()], seal, caps))
        throw conflict("a cap on critical commands is reached");
      const same = [...draft.seals.values()].some(
        (other) =>
          other.once &&
          seal.once &&
          other.manifest === seal.manifest &&
          other.systemTitle === seal.systemTitle &&
          other.act === seal.act &&
          (other.outcome === undefined || other.outcome === "executed"),
      );
      if (same) throw conflict("this act of the manifest was done on this meter");
      const open = { outcome: undefined, settledAt: undefined, settledLived: undefined };
      addOnce(draft.seals, seal.nonce, { ...seal, ...open, mac });
      return;
    }
    case "settle-seals": {
      for (const seal of write.seals) {
        const held = draft.seals.get(seal.nonce);
        if (held !== undefined && held.outcome === undefined) draft.seals.set(seal.nonce, seal);
      }
      return;
    }
    default:
      write satisfies never;
  }
}

/** Reads the authority in memory. */
export function authorityOf(held: () => { authority: HeldAuthority; ledger: LedgerEntry[] }): AuthorityRecords {
  const newest = <T extends { readonly submittedAt: number }>(records: Iterable<T>, limit: number): T[] =>
    [...records]
      .reverse()
      .sort((one, other) => other.submittedAt - one.submittedAt)
      .slice(0, limit);
  const seals = () => [...held().authority.seals.values()];
  return {
    document: async () => {
      const mark = held().ledger.findLast(({ kind }) => kind === "authority-recorded");
      return { stored: held().authority.document, mark: mark && authorityMarkOf(mark) };
    },
    manifest: async (hash) => held().authority.manifests.get(hash),
    manifestPart: async (hash, part) => held().authority.manifestParts.get(`${hash}/${part}`),
    manifests: async (limit) => newest(held().authority.manifests.values(), limit),
    unapprovedManifests: async (submittedBy, since) => {
      const { manifests, approvals } = held().authority;
      const approved = new Set([...approvals.values()].map(({ hash }) => hash));
      const theirs = [...manifests.values()].filter(
        (one) => one.submittedBy === submittedBy && one.submittedAt >= since,
      );
      return theirs.filter(({ hash }) => !approved.has(hash)).length;
    },
    change: async (hash) => held().authority.changes.get(hash),
    wasExecuted: async (hash) =>
      held().ledger.some(
        ({ kind, body }) => kind === "change-executed" && (JSON.parse(body) as { readonly hash: string }).hash === hash,
      ),
    changes: async (limit) => newest(held().authority.changes.values(), limit),
    approvals: async (hash) => [...held().authority.approvals.values()].filter((one) => one.hash === hash),
    openSeals: async (of) =>
      seals().flatMap(({ outcome, settledAt: _, settledLived: __, mac: ___, ...seal }) =>
        outcome === undefined && (of === undefined || setupName(seal) === setupName(of)) ? [seal] : [],
      ),
    countingSeals: async () => {
      const all = seals();
      const lived = latest(all);
      return {
        seals: all.filter(
          ({ settledLived }) => settledLived === undefined || settledLived >= lived - MONTH_MILLISECONDS,
        ),
        lost: held()
          .ledger.filter(({ kind }) => kind === "critical-sealed")
          .map(({ body }) => (JSON.parse(body) as { readonly nonce: string }).nonce)
          .filter((nonce) => !held().authority.seals.has(nonce)),
      };
    },
    progress: async (hash) => {
      const counts = { executed: 0, refused: 0, superseded: 0, open: 0 };
      for (const { manifest, outcome } of seals()) if (manifest === hash) counts[outcome ?? "open"] += 1;
      return counts;
    },
    lived: async () => latest(seals()),
  };
}

function latest(seals: readonly StoredSeal[]): number {
  return Math.max(0, ...seals.flatMap((seal) => [seal.sealedLived, seal.settledLived ?? 0]));
}

function isOver(
  seals: readonly StoredSeal[],
  { sealedLived: lived, direction, ...place }: CriticalSeal,
  caps: SealCaps,
): boolean {
  const flow = flowOf(direction);
  const ofMeter = seals.filter((seal) => setupName(seal) === setupName(place) && flow.includes(seal.direction));
  const since = (window: number) => ofMeter.filter((seal) => (seal.settledLived ?? lived) > lived - window).length;
  const reached = (of: readonly StoredSeal[], { offPerDay, offPerMonth, offPerTenMinutes }: OffCaps) =>
    counted(of, direction, lived, DAY_MILLISECONDS) >= offPerDay ||
    counted(of, direction, lived, MONTH_MILLISECONDS) >= offPerMonth ||
    counted(of, direction, lived, TEN_MINUTES_MILLISECONDS) >= offPerTenMinutes;
  const ofUtility = seals.filter(({ utility }) => utility === place.utility);
  return (
    reached(seals, caps) ||
    reached(ofUtility, caps.ofUtility) ||
    (caps.toggleMilliseconds > 0 && since(caps.toggleMilliseconds) > 0) ||
    since(DAY_MILLISECONDS) >= caps.togglesPerDay
  );
}

function counted(seals: readonly StoredSeal[], cut: Direction, lived: number, window: number): number {
  return seals.filter(
    ({ direction, settledLived }) => direction === cut && (settledLived === undefined || settledLived > lived - window),
  ).length;
}

function addOnce<T>(map: Map<string, T>, name: string, value: T): void {
  if (map.has(name)) throw conflict(`${name} is there already`);
  map.set(name, value);
}
