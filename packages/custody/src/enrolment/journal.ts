import type { EnrolmentCause, EnrolmentStepDone, EnrolmentVerdict, LostReason } from "@meterkeep/api/custodian";
import type { KeyPairUse } from "@meterkeep/dlms";
import type { Carrier } from "../takeover/journal.ts";

/** The key pairs that associations are made with, on both sides: two, since no key signs and agrees. */
export const ASSOCIATION_USES = ["digitalSignature", "keyAgreement"] as const satisfies readonly KeyPairUse[];
export type AssociationUse = (typeof ASSOCIATION_USES)[number];

/** The key pairs that a meter is enrolled with: the third is its own in TLS, below any association. */
export const ENROLLED_USES = [...ASSOCIATION_USES, "tls"] as const satisfies readonly KeyPairUse[];
export type EnrolledUse = (typeof ENROLLED_USES)[number];

/** How certificates are told apart on a meter; both in hex, the issuer in DER. */
export interface CertificateName {
  readonly serial: string;
  readonly issuer: string;
}

/** A certificate that every meter below an authority is to hold, its trust anchor included. */
export interface ChainCertificate extends CertificateName {
  /** SHA-256 over its octets, hex. */
  readonly id: string;
  readonly role: "anchor" | "authority" | "client";
  /** For people. */
  readonly subject: string;
}

/** What meters of one place and suite trust, and whom they are to believe. */
export interface Chain {
  /** Changes with any of its certificates. */
  readonly id: string;
  readonly anchor: ChainCertificate;
  /** In the order in which a meter can verify them: authorities from above, then our own client certificates. */
  readonly items: readonly ChainCertificate[];
  /** Whether an authority issues for them now. Where none does, a meter is only freed of what it is not to hold. */
  readonly issues: boolean;
  /** Authorities that are being revoked: a key that one of them certified is not kept. */
  readonly distrusted: readonly string[];
}

/** A certificate of a meter's own. */
export interface Credential extends CertificateName {
  readonly id: string;
  /** The public key, x and y, hex. */
  readonly key: string;
  /** Who issued it, by its identifier and by its name. */
  readonly authority: string;
  readonly issuedBy: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * How far a key pair has come. `generating` and `importing`: a call was sent and may have been applied, or was applied in
 * an enrolment before. `absent`: the meter makes no such pair, and can do without.
 */
export type SlotStage = "due" | "generating" | "generated" | "requested" | "issued" | "importing" | "held" | "absent";

/** One key pair and its certificate. */
export interface Slot {
  readonly use: EnrolledUse;
  readonly stage: SlotStage;
  /** The key that a request asked a certificate for. */
  readonly key?: string | undefined;
  readonly credential?: Credential | undefined;
  /** Times that it came back to where it was. */
  readonly rounds: number;
}

/** What is known of a certificate of the chain on the meter. */
export type ItemState = "missing" | "present" | "held";

/** What a contact waits for. */
export type EnrolmentStage =
  | "associating"
  | "anchor"
  | "listing"
  | "comparing-item"
  | "importing-item"
  | "generating"
  | "requesting"
  | "certifying"
  | "importing"
  | "comparing"
  | "removing"
  | "proving"
  | "asking"
  | "releasing";

/** A contact under way: lost with the line, or with the process. */
export interface EnrolmentContact {
  readonly carrier: Carrier;
  readonly stage: EnrolmentStage;
  readonly step: EnrolmentStepDone["step"];
  /** Whether the meter has said in this contact what it holds. */
  readonly listed: boolean;
  /** It has said in this contact that it took the certificate which is compared next: it can be held to that. */
  readonly acknowledged: boolean;
  /** The item or the use that the stage is about. */
  readonly about?: string | undefined;
}

/**
 * Everything an enrolment must remember over a crash; plain data, stored before the octets leave that make it true.
 *
 * `believed` are the certificates whose keys the meter may use, the newest first: importing one adds it, only the proof
 * of one takes the others away. So a meter that had an identity is known by it at every moment of a renewal.
 */
export interface EnrolmentJournal {
  readonly form: 1;
  readonly cause: EnrolmentCause;
  readonly suite: 1 | 2;
  /** The chain that `items` are of. */
  readonly chain: string | undefined;
  readonly anchor: "unchecked" | "verified";
  /** The anchor that it exported and that is ours: SHA-256, hex. */
  readonly trusts?: string | undefined;
  readonly items: Readonly<Record<string, { readonly state: ItemState; readonly rounds: number }>>;
  readonly slots: readonly Slot[];
  readonly believed: Readonly<Record<EnrolledUse, readonly Credential[]>>;
  /** What it held that nobody here has put there, and what is left of it. */
  readonly foreign: readonly CertificateName[];
  readonly sweeps: number;
  readonly swept: boolean;
  /** What it would not give up. */
  readonly kept: readonly CertificateName[];
  /** It has shown that it has the private keys: in an association by signature, in an answer signed and ciphered. */
  readonly proven: boolean;
  /** It had shown so before this enrolment: what is believed is more than hope. */
  readonly wasProven: boolean;
  readonly proofs: number;
  readonly failures: number;
  readonly notBefore: number;
  readonly verdict: EnrolmentVerdict;
  readonly provenAt: number | undefined;
  readonly steps: readonly EnrolmentStepDone[];
  readonly contact: EnrolmentContact | undefined;
}

/** What happens to an enrolment. `at` is milliseconds since 1970. */
export type EnrolmentEvent = { readonly at: number } & (
  | { readonly kind: "contact-asked"; readonly carrier: Carrier }
  /** `key`: the public key that its signature was made with, where it proved itself by one. */
  | { readonly kind: "associated"; readonly key?: string | undefined }
  | { readonly kind: "association-refused"; readonly detail: string }
  /** What it exported; no id where it has no such certificate. */
  | { readonly kind: "exported"; readonly id: string | undefined; readonly detail: string }
  | { readonly kind: "listed"; readonly certificates: readonly CertificateName[] }
  | { readonly kind: "answered"; readonly accepted: boolean; readonly detail: string }
  /** A request that proves possession of a key, for this meter and fit for the use. */
  | { readonly kind: "requested"; readonly key: string }
  | { readonly kind: "request-unfit"; readonly detail: string }
  | { readonly kind: "certified"; readonly credential: Credential }
  /** `isFinal`: asking again will not help. */
  | { readonly kind: "not-certified"; readonly detail: string; readonly isFinal: boolean }
  | { readonly kind: "released" }
  | { readonly kind: "lost"; readonly reason: LostReason }
);

type StepName = EnrolmentStepDone["step"];

/** What is to be done; the journal beside it must be durable first. */
export type EnrolmentEffect =
  | { readonly kind: "nothing" }
  | { readonly kind: "wait"; readonly milliseconds: number }
  | { readonly kind: "associate"; readonly step: StepName; readonly by: "keys" | "signature" }
  | {
      readonly kind: "export";
      readonly step: StepName;
      readonly which: CertificateName | { readonly use: EnrolledUse };
    }
  | { readonly kind: "list"; readonly step: StepName }
  | { readonly kind: "generate"; readonly step: StepName; readonly use: EnrolledUse }
  | { readonly kind: "request"; readonly step: StepName; readonly use: EnrolledUse }
  /** Have the authority certify this key: the same certificate as before, where it has done so. */
  | { readonly kind: "certify"; readonly step: StepName; readonly use: EnrolledUse; readonly key: string }
  | { readonly kind: "import-item"; readonly step: StepName; readonly id: string }
  | { readonly kind: "import-own"; readonly step: StepName; readonly use: EnrolledUse; readonly key: string }
  | { readonly kind: "remove"; readonly step: StepName; readonly certificate: CertificateName }
  /** Ask something signed and under an agreed key, to be answered so. */
  | { readonly kind: "ask-signed"; readonly step: StepName }
  /** A certificate that the meter is proven not to use. */
  | { readonly kind: "retire"; readonly credential: Credential }
  | { readonly kind: "note"; readonly what: string; readonly detail: string }
  | { readonly kind: "release"; readonly step: StepName }
  | {
      readonly kind: "close";
      readonly step: StepName;
      readonly next: "reconnect" | "wait" | "done";
      readonly milliseconds: number;
    };

/** What an enrolment begins with. */
export interface EnrolmentPlan {
  readonly cause: EnrolmentCause;
  /** Uses that get a new key pair; the others are compared with what is believed. */
  readonly renewing: readonly EnrolledUse[];
}

const NO_CREDENTIALS: EnrolmentJournal["believed"] = { digitalSignature: [], keyAgreement: [], tls: [] };

/** Reads a stored journal. */
export function readEnrolment({ journal }: { readonly journal: string }): EnrolmentJournal {
  return JSON.parse(journal) as EnrolmentJournal;
}

/** Whether nothing is left to do for a key pair. */
export function isFurnished({ stage }: Pick<Slot, "stage">): boolean {
  return stage === "held" || stage === "absent";
}

/** The journal of an enrolment that has not begun: after one before it, what is believed stays believed. */
export function newEnrolment(
  suite: 1 | 2,
  plan: EnrolmentPlan,
  before?: Pick<EnrolmentJournal, "believed" | "proven" | "wasProven">,
): EnrolmentJournal {
  const believed = before?.believed ?? NO_CREDENTIALS;
  const slots = ENROLLED_USES.map((use): Slot => {
    const [credential] = believed[use];
    return credential === undefined || plan.renewing.includes(use)
      ? { use, stage: "due", rounds: 0 }
      : { use, stage: "importing", key: credential.key, credential, rounds: 0 };
  });
  return {
    form: 1,
    cause: plan.cause,
    suite,
    chain: undefined,
    anchor: "unchecked",
    items: {},
    slots,
    believed,
    foreign: [],
    sweeps: 0,
    swept: false,
    kept: [],
    proven: false,
    wasProven: before !== undefined && (before.proven || before.wasProven),
    proofs: 0,
    failures: 0,
    notBefore: 0,
    verdict: "pending",
    provenAt: undefined,
    steps: [],
    contact: undefined,
  };
}

/** Whether its signatures are what shows that a meter is itself. */
export function isKnownBySignature({ proven, wasProven }: Pick<EnrolmentJournal, "proven" | "wasProven">): boolean {
  return proven || wasProven;
}

/** Whether nothing more is tried. */
export function isOver({ verdict }: Pick<EnrolmentJournal, "verdict">): boolean {
  return verdict !== "pending";
}

const FIRST_STEPS = 24;
const MOST_STEPS = 60;

/** Adds a line to the history; of a long one the beginning and the end are kept. */
export function withStep(journal: EnrolmentJournal, done: EnrolmentStepDone): EnrolmentJournal {
  const steps = [...journal.steps, done];
  const kept = steps.length <= MOST_STEPS ? steps : [...steps.slice(0, FIRST_STEPS), ...steps.slice(FIRST_STEPS + 1)];
  return { ...journal, steps: kept };
}
