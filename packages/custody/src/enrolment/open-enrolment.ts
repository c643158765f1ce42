import type { LedgerKeeper } from "@meterkeep/ledger";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { openPki, type Pki, type PkiOptions } from "../pki/open-pki.ts";
import { openTrustJournal } from "../pki/trust-journal.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Pace } from "../takeover/candidates.ts";
import type { OpenedVault } from "../vault/open-vault.ts";
import { compromisedAnchors } from "./anchor.ts";
import { ClientKeys } from "./client-keys.ts";
import { EnrolmentContacts } from "./contacts.ts";
import { Enrolments } from "./enrolments.ts";
import { ENROLMENT_REQUESTER, MeterAuthority } from "./meter-authority.ts";
import { enrolmentPace } from "./pace.ts";
import { Removals } from "./removals.ts";

/** What the enrolment of meters is opened with. */
export interface EnrolmentParts {
  readonly conversation: ConversationDependencies;
  readonly store: CustodyStore;
  readonly opened: Pick<OpenedVault, "vault" | "signing">;
  /** To whoever decides by it. */
  readonly ledger: CustodyStore["ledger"];
  readonly keeper: Pick<LedgerKeeper, "state">;
  /** On other storage than the database: where the journal of what nobody may take back is. */
  readonly directory: string;
  readonly options: PkiOptions;
  /** How often meters are tried with keys they may not hold. */
  readonly pace: Pace;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/** The PKI of a custodian, and the enrolment of its meters with it. */
export interface OpenedEnrolment {
  readonly pki: Pki;
  /** Our own key pairs towards meters. */
  readonly clientKeys: ClientKeys;
  /** Certificates of meters: what is issued to them, and what of it stands. */
  readonly identities: MeterAuthority;
  readonly enrolments: Enrolments;
  readonly enrolmentContacts: EnrolmentContacts;
  readonly removals: Removals;
}

/** Opens the PKI of a custodian and the enrolment of its meters. */
export async function openEnrolment(parts: EnrolmentParts): Promise<OpenedEnrolment> {
  const { conversation, store, opened, ledger, keeper, directory, options, pace, onFailure } = parts;
  const { files, committer, vault, now, clientTitle } = conversation;
  const { developmentTree, ...kept } = options;
  const pki = await openPki({
    store: store.pki,
    installation: store.installation,
    opened,
    committer,
    ledger,
    orders: store.pkiLedger,
    journal: await openTrustJournal(directory, vault),
    options: {
      ...kept,
      // The policy of enrolment bounds how many there are.
      limits: { [ENROLMENT_REQUESTER]: Number.MAX_SAFE_INTEGER, ...kept.limits },
      // A halted ledger takes no entry.
      ...(keeper.state.halt === undefined ? { developmentTree } : {}),
    },
    now,
    pace: () => enrolmentPace(store.enrolments, now()),
    onFailure,
  });
  const clientKeys = new ClientKeys(vault, store.installation);
  const identities = new MeterAuthority(pki, clientKeys, clientTitle);
  const { revocations, authorities } = pki;
  const { plans } = store.pki;
  const anchors = () => compromisedAnchors(plans, authorities);
  const enrolments = new Enrolments({ store, files, committer, compromisedAnchors: anchors, now });
  return {
    pki,
    clientKeys,
    identities,
    enrolments,
    enrolmentContacts: new EnrolmentContacts({ ...conversation, clientKeys, authority: identities, pace }),
    removals: new Removals({ revocations, plans, files, enrolments, now }),
  };
}
