import { OwnTime } from "@meterkeep/guard";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { Committer } from "../store/committer.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { Authority, freshCode } from "./authority.ts";
import type { SealDependencies } from "./critical-seals.ts";
import type { DocumentKeeper } from "./document-keeper.ts";
import { Enrolment } from "./enrolment.ts";
import type { ExecutedChanges } from "./executed-changes.ts";
import { OpenManifests } from "./manifests.ts";
import type { RelyingParty } from "./people/passkey.ts";

/** The clocks that windows and delays are held against. */
export interface AuthorityClocks {
  /** As somebody may set it. */
  readonly wall: () => number;
  /** As nobody sets it. */
  readonly monotonic: () => number;
  /** When the ledger was written last before this start. */
  readonly written: number;
}

/** What the authority of a custodian is opened with. */
export interface AuthorityParts {
  readonly store: CustodyStore;
  readonly files: CheckedFiles;
  readonly documents: DocumentKeeper;
  readonly executed: ExecutedChanges;
  readonly committer: Committer;
  readonly vault: Vault;
  /** The custodian's own page; no passkey is taken without. */
  readonly page: RelyingParty | undefined;
  readonly clocks: AuthorityClocks;
  readonly now: () => number;
}

/** The authority of a custodian. */
export interface OpenedAuthority {
  /** What critical requests are judged with. */
  readonly deciding: SealDependencies;
  readonly authority: Authority;
  /** How people become approvers. */
  readonly enrolment: Enrolment;
}

const NO_PAGE: RelyingParty = { id: "", origins: [] };

/** Opens the authority of a custodian: who approves, what is approved, and what was sealed for it. */
export async function openAuthority(parts: AuthorityParts): Promise<OpenedAuthority> {
  const { store, files, documents, executed, committer, vault, page, clocks, now } = parts;
  const deciding: SealDependencies = {
    records: store.authority,
    store,
    files,
    documents,
    executed,
    manifests: new OpenManifests(store.authority),
    party: page ?? NO_PAGE,
    committer,
    vault,
    time: new OwnTime(clocks.wall, clocks.monotonic, await store.authority.lived(), clocks.written),
    now,
  };
  const authority = await Authority.open(deciding);
  const enrolment = new Enrolment(deciding.documents, authority.changes, deciding.party, now, freshCode);
  return { deciding, authority, enrolment };
}
