import type {
  LostReason,
  RotationCause,
  TakeoverState,
  TakeoverStep,
  TakeoverStepDone,
  TakeoverVerdict,
} from "@meterkeep/api/custodian";
import { type KeyName, PURPOSE, type Purpose } from "../store/records.ts";
import type { MasterAgreement } from "./agreed-master.ts";
import { type ChildChange, childWantedAnew } from "./child-change.ts";
import type { ClientSearch, FoundClient } from "./client-search.ts";
import type { PolicyChange } from "./policy-change.ts";
import { type SecretChange, secretWantedAnew } from "./secret-change.ts";

/** Purposes whose keys an association needs. */
export const WORKING = [PURPOSE.GUEK, PURPOSE.GAK] as const;

/** For each purpose something. */
export type ByPurpose<T> = Readonly<Record<Purpose, T>>;

/** Whom a contact was opened for: the grade of a takeover follows from it. */
export type Carrier = "head-end" | "depot";

/** What a contact waits for. */
export type ContactStage =
  | "associating"
  | "counter-hint"
  | "identity"
  | "preparing"
  | "agreeing"
  | "transferring-broadcast"
  | "transferring-working"
  | "transferring-master"
  | "proving-master"
  | "refusing-master"
  | "refusing-old"
  | "reading-policy"
  | "raising-policy"
  | "finding-clients"
  | "changing-secret"
  | "proving-secret"
  | "refusing-secret"
  | "handing-child"
  | "setting-child"
  | "releasing";

/** A contact under way: lost with the line, or with the process. */
export interface Contact {
  readonly carrier: Carrier;
  readonly stage: ContactStage;
  readonly step: TakeoverStep;
  /** The versions it associates with. */
  readonly GUEK: number;
  readonly GAK: number;
  /** Made to show that the meter answers at all, after the old keys had got no answer. */
  readonly control: boolean;
  /** The master was transferred in this very association: some meters use it from the next one on. */
  readonly masterSentHere: boolean;
  /** Which candidate for the master is being tried. */
  readonly masterTry: number;
  /** Whose secret it is about, or which channel. */
  readonly client?: number | undefined;
}

/** A transfer whose effect has not been seen yet. */
export interface SentTransfer {
  readonly kind: "working" | "master";
  readonly versions: Partial<ByPurpose<number>>;
  /** The meter said that it had done it: it can be held to that. */
  readonly acknowledged: boolean;
}

/** Stages that send keys. */
export type TransferStage = Extract<
  ContactStage,
  | "transferring-broadcast"
  | "transferring-working"
  | "transferring-master"
  | "proving-master"
  | "refusing-master"
  | "changing-secret"
  | "handing-child"
>;

/** Keys that are durable and in escrow, or about to be, and that nobody has sent. */
export interface PreparedKeys {
  readonly stage: TransferStage;
  readonly step: TakeoverStep;
  readonly keys: readonly KeyName[];
  /** The version of the master to wrap them under; absent for the secret of a client and the key of a child, which go under the working keys. */
  readonly under?: number | undefined;
}

/** How many counters may be skipped on an unauthenticated word: so many were left at that time. */
export interface HintAllowance {
  readonly left: number;
  readonly at: number;
}

/** What a takeover came to: a rotation keeps it, since trust rests on it. */
export type TakeoverOutcome = Pick<TakeoverState, "grade" | "verdict" | "provenAt" | "steps" | "sentence">;

/**
 * Everything a change of keys must remember over a crash; plain data, stored as JSON before the octets leave that make it true.
 *
 * At its heart stands `belief`: for each purpose the versions that may be on the meter, the likeliest first. Sending a
 * key adds a version, only a proof takes one away, and what is believed is always held.
 */
export interface Journal {
  readonly form: 1;
  /** `takeover`, or why these keys are rotated. */
  readonly cause: "takeover" | RotationCause;
  /** The purposes that get new keys. */
  readonly changing: readonly Purpose[];
  /** Of a rotation: what the takeover before it came to. */
  readonly takeover?: TakeoverOutcome | undefined;
  readonly belief: ByPurpose<readonly number[]>;
  /** The versions that must go, where their purpose changes. */
  readonly old: ByPurpose<number>;
  /** The version the next key generated gets: none is used twice. */
  readonly nextVersion: ByPurpose<number>;
  readonly identity: "unchecked" | "matched" | "differs";
  /** Made and not yet sent. */
  readonly prepared: PreparedKeys | undefined;
  readonly sent: SentTransfer | undefined;
  /** The meter has acknowledged a new broadcast key; more than its word there never is. */
  readonly broadcastTaken: boolean;
  /** It takes no broadcast key: the others change without it, and a fresh authentication key proves the master. */
  readonly withoutBroadcast: boolean;
  /** Transfers that were acknowledged and had no effect. */
  readonly fruitless: { readonly working: number; readonly master: number };
  /** Transfers that were refused outright. */
  readonly refused: { readonly working: number; readonly master: number };
  readonly proven: {
    readonly working: boolean;
    readonly master: boolean;
    readonly oldMasterDead: boolean;
    readonly oldDead: boolean;
  };
  /** The agreement on a new master, where both sides can sign. */
  readonly agreement?: MasterAgreement | undefined;
  /** The oldest master under the keys on the meter that came of an agreement and was proven: what was known before leads to none of them. */
  readonly agreedMaster?: number | undefined;
  /** The secrets of clients, once they have been looked at: in takeovers, and where a rotation changes them. */
  readonly secrets?: readonly SecretChange[] | undefined;
  /** The keys of devices at its M-Bus channels, once they have been looked at. */
  readonly children?: readonly ChildChange[] | undefined;
  /** The search for clients that the profile does not name, and for security setups; absent before the meter was asked. */
  readonly search?: ClientSearch | undefined;
  /** The raising of the security policy; absent before it has been looked at. */
  readonly policy?: PolicyChange | undefined;
  /** Who carried the refusal that proved the old keys dead: whoever carries octets can forge one. */
  readonly refusalCarrier?: Carrier | undefined;
  /** A key has travelled where a holder of the old keys could have recorded it. */
  readonly exposed: boolean;
  /** The one attempt with the old keys got no answer. */
  readonly oldSilent: boolean;
  /** Associations that were tried in vain since the last that was made. */
  readonly tries: readonly { readonly GUEK: number; readonly GAK: number; readonly at: number }[];
  /** When the old keys were last tried in vain: the attempt that proves them dead keeps its distance. */
  readonly oldTriedAt: number | undefined;
  /** When the counter was last asked for, by the public client. */
  readonly hintAt: number | undefined;
  /** What is left to be believed of counters that nobody vouches for, over all takeovers and rotations; absent before the first. */
  readonly hints?: HintAllowance | undefined;
  /** Contacts in a row that led nowhere. */
  readonly failures: number;
  /** No contact before this. */
  readonly notBefore: number;
  readonly verdict: TakeoverVerdict;
  readonly provenAt: number | undefined;
  readonly steps: readonly TakeoverStepDone[];
  readonly contact: Contact | undefined;
}

/** What happens to a change of keys. `at` is milliseconds since 1970. */
export type TakeoverEvent = { readonly at: number } & (
  | { readonly kind: "contact-asked"; readonly carrier: Carrier }
  | { readonly kind: "associated" }
  | {
      readonly kind: "association-refused";
      readonly detail: string;
      /** The meter named the counter it would accept: it judged the counter, not the keys. */
      readonly expectedCounter?: number | undefined;
    }
  /** No association was made, yet an answer was authentic under its keys: the meter has them. */
  | { readonly kind: "answered-under-keys"; readonly detail: string }
  | { readonly kind: "counter-read"; readonly counter: number | undefined }
  | { readonly kind: "identity-read"; readonly matches: boolean; readonly detail: string }
  /** A master came of an agreement; it is durable and in escrow. */
  | { readonly kind: "master-agreed"; readonly version: number }
  /** The keys that were to be prepared are durable and in escrow. */
  | { readonly kind: "prepared" }
  /** To a transfer of keys, to a secret, or to a higher policy. */
  | { readonly kind: "transfer-answered"; readonly accepted: boolean; readonly detail: string }
  /** security_policy as the meter tells it, where it does. */
  | { readonly kind: "policy-read"; readonly value: number | undefined }
  /**
   * What its objects tell of clients with secrets and of security setups beside the first, and what they keep to themselves,
   * in words.
   */
  | {
      readonly kind: "clients-found";
      readonly clients: readonly FoundClient[];
      readonly setups: readonly number[];
      readonly hidden: readonly string[];
    }
  | { readonly kind: "released" }
  | { readonly kind: "lost"; readonly reason: LostReason }
);

/** The secret of a client, or the key of a child, by version. */
export type SecretName = KeyName & { readonly client: number };

/** What is to be done; the journal beside it must be durable first. */
export type TakeoverEffect =
  | { readonly kind: "nothing" }
  | { readonly kind: "wait"; readonly milliseconds: number }
  | { readonly kind: "associate"; readonly step: TakeoverStep; readonly GUEK: number; readonly GAK: number }
  | { readonly kind: "read-counter"; readonly step: TakeoverStep }
  | { readonly kind: "raise-counter"; readonly to: number }
  | { readonly kind: "read-identity"; readonly step: TakeoverStep }
  /** Generate these keys, keep them, put them into escrow. */
  | { readonly kind: "prepare"; readonly step: TakeoverStep; readonly keys: readonly KeyName[] }
  /** Wrap keys that were prepared under that version of the master, send them in one transfer. */
  | {
      readonly kind: "transfer";
      readonly step: TakeoverStep;
      readonly keys: readonly KeyName[];
      readonly under: number;
    }
  /** Offer an ephemeral key for the master; what comes of it is kept, and in escrow, before it is used. */
  | { readonly kind: "agree"; readonly step: TakeoverStep }
  /** Associate as a client, with a version of its secret. */
  | { readonly kind: "associate-secret"; readonly step: TakeoverStep; readonly key: SecretName }
  /** Give a client a secret that was prepared. */
  | { readonly kind: "change-secret"; readonly step: TakeoverStep; readonly key: SecretName }
  /** Have the meter hand its device a key that was prepared, wrapped under the device's default key. */
  | { readonly kind: "transfer-child-key"; readonly step: TakeoverStep; readonly key: SecretName }
  /** Give the meter itself that same key. */
  | { readonly kind: "set-child-key"; readonly step: TakeoverStep; readonly key: SecretName }
  | { readonly kind: "read-policy"; readonly step: TakeoverStep }
  | { readonly kind: "find-clients"; readonly step: TakeoverStep }
  | { readonly kind: "raise-policy"; readonly step: TakeoverStep; readonly to: number }
  /** The meter uses this key from now on, by its proof or by its word alone; the one before is kept, deactivated. */
  | { readonly kind: "key-active"; readonly key: KeyName; readonly proven: boolean }
  | { readonly kind: "note"; readonly what: string; readonly detail: string }
  | { readonly kind: "release"; readonly step: TakeoverStep }
  | {
      readonly kind: "close";
      readonly step: TakeoverStep;
      readonly next: "reconnect" | "wait" | "done";
      readonly milliseconds: number;
    };

/** The journal of a takeover that has not begun: the keys that came with the meter are on it, the factory's of version 1 unless others are given. */
export function newJournal(old: ByPurpose<number> = { 0: 1, 1: 1, 2: 1, 3: 1 }): Journal {
  return {
    form: 1,
    cause: "takeover",
    changing: [PURPOSE.GUEK, PURPOSE.GBEK, PURPOSE.GAK, PURPOSE.KEK],
    belief: { 0: [old[0]], 1: [old[1]], 2: [old[2]], 3: [old[3]] },
    old,
    nextVersion: { 0: old[0] + 1, 1: old[1] + 1, 2: old[2] + 1, 3: old[3] + 1 },
    identity: "unchecked",
    prepared: undefined,
    sent: undefined,
    broadcastTaken: false,
    withoutBroadcast: false,
    fruitless: { working: 0, master: 0 },
    refused: { working: 0, master: 0 },
    proven: { working: false, master: false, oldMasterDead: false, oldDead: false },
    exposed: false,
    oldSilent: false,
    tries: [],
    oldTriedAt: undefined,
    hintAt: undefined,
    failures: 0,
    notBefore: 0,
    verdict: "pending",
    provenAt: undefined,
    steps: [],
    contact: undefined,
  };
}

/** The journal of a rotation that has not begun, after one that is over: what is believed on the meter stays believed. */
export function rotationJournal(
  before: Journal,
  plan: { readonly cause: RotationCause; readonly purposes: readonly Purpose[] },
  takeover: TakeoverOutcome,
): Journal {
  const changes = (purpose: Purpose) => plan.purposes.includes(purpose);
  const working = WORKING.some(changes);
  const master = changes(PURPOSE.KEK);
  const newest = (purpose: Purpose) => before.belief[purpose][0] as number;
  return {
    ...newJournal(),
    cause: plan.cause,
    changing: plan.purposes,
    takeover,
    belief: before.belief,
    old: { 0: newest(0), 1: newest(1), 2: newest(2), 3: newest(3) },
    nextVersion: before.nextVersion,
    identity: "matched",
    // What does not change needs no proof.
    proven: { working: !working, master: !master, oldMasterDead: !master, oldDead: !working },
    hintAt: before.hintAt,
    hints: before.hints,
    agreedMaster: before.agreedMaster,
    withoutBroadcast: before.withoutBroadcast && changes(PURPOSE.GBEK),
    // They travelled under the unicast key: who has that one and recorded the line has them.
    secrets: changes(PURPOSE.GUEK) ? before.secrets?.map(secretWantedAnew) : before.secrets,
    children: changes(PURPOSE.GUEK) ? before.children?.map(childWantedAnew) : before.children,
    policy: before.policy,
    // Who gave no answer is asked once more.
    search: before.search?.setups === undefined ? undefined : before.search,
  };
}

/** Whether no key of ours was ever made for a takeover: what came with the meter is on it, whoever was spoken to. */
export function isUntouched({ cause, belief, old, nextVersion }: Journal): boolean {
  return (
    cause === "takeover" &&
    Object.values(PURPOSE).every(
      (purpose) =>
        nextVersion[purpose] === old[purpose] + 1 && belief[purpose].every((version) => version === old[purpose]),
    )
  );
}

/** Whether a purpose gets a new key. */
export function changes({ changing }: Journal, purpose: Purpose): boolean {
  return changing.includes(purpose);
}

/** Verdicts after which nothing more is tried. */
export function isFinal(verdict: TakeoverVerdict): boolean {
  return verdict !== "pending" && verdict !== "unknown";
}

const FIRST_STEPS = 24;
const MAX_STEPS = 60;

/** Adds a line to the history; of a long one the beginning and the end are kept. */
export function withStep(journal: Journal, done: TakeoverStepDone): Journal {
  const steps = [...journal.steps, done];
  const kept = steps.length <= MAX_STEPS ? steps : [...steps.slice(0, FIRST_STEPS), ...steps.slice(FIRST_STEPS + 1)];
  return { ...journal, steps: kept };
}
