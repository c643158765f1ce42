import {
  type CertificateName,
  type Credential,
  type EnrolledUse,
  type EnrolmentJournal,
  isFurnished,
  type Slot,
} from "./journal.ts";
import {
  conclude,
  contactOf,
  doing,
  type Enrolled,
  type EnrolmentRules,
  type EventOf,
  inContact,
  isInPlace,
  isSame,
  MOST_ROUNDS,
  nameOf,
  noted,
  releasing,
  slotOf,
  WORDS,
  withItem,
  withSlot,
} from "./moves.ts";

/** How long to wait where the authority cannot certify now. */
const AUTHORITY_MILLISECONDS = 600_000;

/** The next thing to do in an association by keys. */
export function proceed(journal: EnrolmentJournal, { chain }: EnrolmentRules): Enrolled {
  const { anchor, items, slots, foreign, swept } = journal;
  if (anchor === "unchecked")
    return doing(journal, "anchor", { kind: "export", step: "anchor-check", which: nameOf(chain.anchor) });
  if (!contactOf(journal).listed) return doing(journal, "listing", { kind: "list", step: "certificate-list" });
  for (const item of chain.items) {
    const { state } = items[item.id] ?? { state: "missing" };
    if (state === "present")
      return doing(
        journal,
        "comparing-item",
        { kind: "export", step: "compare-certificate", which: nameOf(item) },
        item.id,
      );
    if (state === "missing")
      return doing(
        journal,
        "importing-item",
        { kind: "import-item", step: "import-certificate", id: item.id },
        item.id,
      );
  }
  const wanting = chain.issues ? slots.find((slot) => !isFurnished(slot)) : undefined;
  if (wanting !== undefined) return furnish(journal, wanting);
  if (foreign.length > 0) {
    const certificate = foreign[0] as CertificateName;
    return doing(journal, "removing", { kind: "remove", step: "remove-certificate", certificate });
  }
  if (!swept) return doing(journal, "listing", { kind: "list", step: "certificate-list" });
  if (chain.issues) return releasing(journal);
  const verdict = journal.kept.length === 0 ? "freed" : "keeps-foreign";
  return conclude(journal, verdict, "no authority issues for it now");
}

/** The next thing to do for one key pair. Where a call may have been applied the journal says so before it leaves. */
function furnish(journal: EnrolmentJournal, slot: Slot): Enrolled {
  const { use, stage, key } = slot;
  switch (stage) {
    case "due":
    case "generating":
      return doing(
        withSlot(journal, { use, stage: "generating", rounds: slot.rounds }),
        "generating",
        { kind: "generate", step: "generate-key-pair", use },
        use,
      );
    case "generated":
      return doing(journal, "requesting", { kind: "request", step: "certificate-request", use }, use);
    case "requested":
      return doing(
        journal,
        "certifying",
        { kind: "certify", step: "certificate-request", use, key: key as string },
        use,
      );
    case "issued": {
      const credential = slot.credential as Credential;
      const others = journal.believed[use].filter(({ id }) => id !== credential.id);
      const believed = { ...journal.believed, [use]: [credential, ...others] };
      return doing(
        withSlot({ ...journal, believed }, { ...slot, stage: "importing" }),
        "importing",
        { kind: "import-own", step: "import-certificate", use, key: credential.key },
        use,
      );
    }
    case "importing":
      return doing(journal, "comparing", { kind: "export", step: "compare-certificate", which: { use } }, use);
    case "held":
    case "absent":
      throw new Error("a pair that is in place needs nothing");
    default:
      return stage satisfies never;
  }
}

export function exported(
  journal: EnrolmentJournal,
  { at, id, detail }: EventOf<"exported">,
  rules: EnrolmentRules,
): Enrolled {
  const { stage, about } = contactOf(journal);
  switch (stage) {
    case "anchor":
      if (id === rules.chain.anchor.id)
        return proceed(
          { ...noted(journal, at, "passed", "its trust anchor is ours"), anchor: "verified", trusts: id },
          rules,
        );
      return conclude(
        noted(journal, at, "failed", detail),
        id === undefined ? "anchor-missing" : "anchor-differs",
        detail,
      );
    case "comparing-item":
      return itemCompared(journal, at, about as string, id, rules);
    case "comparing":
      return ownCompared(journal, at, slotOf(journal, about as EnrolledUse), id, detail, rules);
    default:
      throw new Error(`a certificate came while ${stage}`);
  }
}

function itemCompared(
  journal: EnrolmentJournal,
  at: number,
  item: string,
  id: string | undefined,
  rules: EnrolmentRules,
): Enrolled {
  const { rounds } = journal.items[item] ?? { rounds: 0 };
  if (id === item) return proceed(withItem(journal, item, "held", rounds), rules);
  if (rounds >= MOST_ROUNDS)
    return conclude(
      noted(journal, at, "failed", "it does not keep a certificate that it said it had taken"),
      "keeps-no-certificate",
      "a certificate of our authorities or clients is not on it after it was taken",
    );
  return proceed(withItem(journal, item, "missing", rounds), rules);
}

function ownCompared(
  journal: EnrolmentJournal,
  at: number,
  slot: Slot,
  id: string | undefined,
  detail: string,
  rules: EnrolmentRules,
): Enrolled {
  const { use, credential, rounds } = slot;
  if (id !== undefined && id === credential?.id) {
    const same = noted(journal, at, "passed", `its certificate for ${WORDS[use]} is the one issued, octet for octet`);
    return proceed(withSlot(same, { ...slot, stage: "held" }), rules);
  }
  const { acknowledged } = contactOf(journal);
  const why = id === undefined ? detail : "it exports another certificate than was issued";
  const other = inContact(noted(journal, at, acknowledged ? "failed" : "refused", why), { acknowledged: false });
  if (acknowledged && rounds >= MOST_ROUNDS)
    return conclude(other, "keeps-no-certificate", `its certificate for ${WORDS[use]} is not what was imported`);
  const again = { ...slot, stage: "issued", rounds: acknowledged ? rounds + 1 : rounds } as const;
  return proceed(withSlot(other, again), rules);
}

export function listed(
  journal: EnrolmentJournal,
  { at, certificates }: EventOf<"listed">,
  rules: EnrolmentRules,
): Enrolled {
  const { chain } = rules;
  const has = (one: CertificateName) => certificates.some((held) => isSame(held, one));
  let items = journal.items;
  for (const item of chain.items) {
    const { state, rounds } = items[item.id] ?? { state: "missing", rounds: 0 };
    const now = has(item) ? (state === "held" ? "held" : "present") : "missing";
    items = { ...items, [item.id]: { state: now, rounds } };
  }
  const own = Object.values(journal.believed).flat();
  const foreign = certificates.filter(
    (held) => ![chain.anchor, ...chain.items, ...own].some((known) => isSame(known, held)),
  );
  const seen = noted(journal, at, foreign.length === 0 ? "passed" : "failed", listDetail(certificates, foreign));
  const next = inContact({ ...seen, items }, { listed: true });
  if (!isInPlace(next, chain)) return proceed({ ...next, foreign: [] }, rules);
  const gone = chain.issues
    ? next.slots.find(({ credential }) => credential !== undefined && !has(credential))
    : undefined;
  if (gone !== undefined) {
    const why = `its certificate for ${WORDS[gone.use]} is not among those it names`;
    return ownCompared(inContact(next, { acknowledged: true }), at, gone, undefined, why, rules);
  }
  if (foreign.length === 0) return proceed({ ...next, foreign: [], swept: true }, rules);
  // What was asked to go and is still there stays, and is said.
  if (journal.sweeps >= MOST_ROUNDS)
    return proceed({ ...next, foreign: [], kept: foreign.slice(0, MOST_KEPT), swept: true }, rules);
  return proceed({ ...next, foreign: foreign.slice(0, MOST_KEPT) }, rules);
}

/** Foreign certificates that are dealt with at a time, and remembered where they would not go. */
const MOST_KEPT = 16;

export function answered(
  journal: EnrolmentJournal,
  { at, accepted, detail }: EventOf<"answered">,
  rules: EnrolmentRules,
): Enrolled {
  const { stage, about } = contactOf(journal);
  const outcome = accepted ? "passed" : "refused";
  switch (stage) {
    case "importing-item": {
      const item = about as string;
      const rounds = (journal.items[item]?.rounds ?? 0) + 1;
      if (!accepted && rounds >= MOST_ROUNDS)
        return conclude(noted(journal, at, outcome, detail), "refuses", "it takes no certificate of our authorities");
      return proceed(withItem(journal, item, "present", rounds), rules);
    }
    case "generating":
      return generated(journal, at, slotOf(journal, about as EnrolledUse), accepted, detail, rules);
    case "importing": {
      const slot = slotOf(journal, about as EnrolledUse);
      const said = noted(journal, at, outcome, detail);
      return accepted ? proceed(inContact(said, { acknowledged: true }), rules) : orphaned(said, at, slot, rules);
    }
    case "removing": {
      const foreign = journal.foreign.slice(1);
      const sweeps = foreign.length === 0 ? journal.sweeps + 1 : journal.sweeps;
      return proceed({ ...noted(journal, at, outcome, detail), foreign, sweeps }, rules);
    }
    default:
      throw new Error(`an answer came while ${stage}`);
  }
}

function generated(
  journal: EnrolmentJournal,
  at: number,
  slot: Slot,
  accepted: boolean,
  detail: string,
  rules: EnrolmentRules,
): Enrolled {
  if (accepted) return proceed(withSlot(journal, { ...slot, stage: "generated" }), rules);
  const refused = noted(journal, at, "refused", detail);
  if (slot.rounds >= MOST_ROUNDS) {
    if (!isDispensable(journal, slot)) return conclude(refused, "refuses", "it makes no key pair");
    const without = noted(journal, at, "refused", `it makes no key pair for ${WORDS[slot.use]}, and does without`);
    return proceed(withSlot(without, { ...slot, stage: "absent" }), rules);
  }
  return proceed(withSlot(refused, { ...slot, stage: "due", rounds: slot.rounds + 1 }), rules);
}

/** Whether a meter can do without a pair: it speaks no TLS, and never had a certificate for it. */
function isDispensable({ believed }: EnrolmentJournal, { use }: Slot): boolean {
  return use === "tls" && believed.tls.length === 0;
}

/** A certificate that the meter will not have: perhaps its pair is gone. Another pair gets another one. */
function orphaned(journal: EnrolmentJournal, _at: number, { use, rounds }: Slot, rules: EnrolmentRules): Enrolled {
  if (rounds >= MOST_ROUNDS) return conclude(journal, "refuses", "it takes no certificate for the keys it asks for");
  return proceed(withSlot(journal, { use, stage: "due", rounds: rounds + 1 }), rules);
}

export function requested(journal: EnrolmentJournal, { at, key }: EventOf<"requested">): Enrolled {
  const slot = slotOf(journal, contactOf(journal).about as EnrolledUse);
  const proven = noted(journal, at, "passed", `it proved that it has a new key for ${WORDS[slot.use]}`);
  return furnish(withSlot(proven, { ...slot, stage: "requested", key }), { ...slot, stage: "requested", key });
}

export function requestUnfit(
  journal: EnrolmentJournal,
  { at, detail }: EventOf<"request-unfit">,
  rules: EnrolmentRules,
): Enrolled {
  const slot = slotOf(journal, contactOf(journal).about as EnrolledUse);
  const unfit = noted(journal, at, "failed", detail);
  if (slot.rounds >= MOST_ROUNDS) return conclude(unfit, "request-unfit", detail);
  return proceed(withSlot(unfit, { use: slot.use, stage: "due", rounds: slot.rounds + 1 }), rules);
}

export function certified(journal: EnrolmentJournal, { at, credential }: EventOf<"certified">): Enrolled {
  const slot = slotOf(journal, contactOf(journal).about as EnrolledUse);
  const issued = { ...slot, stage: "issued", credential } as const;
  const detail = `${credential.issuedBy} certified its key for ${WORDS[slot.use]}: serial ${credential.serial}`;
  return furnish(withSlot(noted(journal, at, "passed", detail), issued), issued);
}

/** The meter keeps what it has; where asking again may help the contact ends and another one asks. */
export function notCertified(journal: EnrolmentJournal, { at, detail, isFinal }: EventOf<"not-certified">): Enrolled {
  const refused = noted(journal, at, "refused", detail);
  if (isFinal) return conclude(refused, "not-certified", detail);
  return releasing({ ...refused, notBefore: at + AUTHORITY_MILLISECONDS });
}

function listDetail(all: readonly CertificateName[], foreign: readonly CertificateName[]): string {
  const count = `it holds ${all.length} ${all.length === 1 ? "certificate" : "certificates"}`;
  return foreign.length === 0 ? count : `${count}, ${foreign.length} of them foreign`;
}
