import type { EnrolledUse, EnrolmentJournal } from "./journal.ts";
import {
  contactOf,
  type Enrolled,
  type EnrolmentRules,
  type EventOf,
  ended,
  inContact,
  later,
  MOST_ROUNDS,
  noted,
  releasing,
  slotOf,
} from "./moves.ts";

/** An association by signature was made: with the key that was certified, it has that key. */
export function signatureShown(
  journal: EnrolmentJournal,
  { at, key }: EventOf<"associated">,
  rules: EnrolmentRules,
): Enrolled {
  if (key !== slotOf(journal, "digitalSignature").credential?.key)
    return unproven(
      noted(journal, at, "failed", "it signed with a key that is not in the certificate it exports"),
      at,
      rules,
      "it signs with another key than the one certified",
    );
  const shown = noted(journal, at, "passed", "it signed our challenge with the key that was certified");
  return [
    inContact(shown, { stage: "asking", step: "signed-request" }),
    { kind: "ask-signed", step: "signed-request" },
  ];
}

/** What came back on a request that was signed, and ciphered under a key agreed on. */
export function signedAnswered(
  journal: EnrolmentJournal,
  { at, accepted, detail }: EventOf<"answered">,
  rules: EnrolmentRules,
): Enrolled {
  return accepted
    ? identityProven(journal, at)
    : unproven(noted(journal, at, "failed", detail), at, rules, "its answer was not signed and ciphered as ours was");
}

export function associationRefused(
  journal: EnrolmentJournal,
  { at, detail }: EventOf<"association-refused">,
  rules: EnrolmentRules,
): Enrolled {
  const refused = noted(journal, at, "refused", detail);
  if (contactOf(journal).stage !== "proving") return later(refused, at, rules);
  return unproven(refused, at, rules, `no association by signature: ${detail}`);
}

/** A proof that failed; what is believed stays believed, and the symmetric keys still open the meter. */
function unproven(journal: EnrolmentJournal, at: number, rules: EnrolmentRules, why: string): Enrolled {
  const tried = { ...journal, proofs: journal.proofs + 1 };
  if (tried.proofs < MOST_ROUNDS) return later(tried, at, rules);
  const over = { ...tried, verdict: "identity-unproven", contact: undefined } as const;
  return [over, ended(over, why), { kind: "close", step: "done", next: "done", milliseconds: 0 }];
}

/**
 * The keys that associations are made with are proven. That of TLS signed its own request and its certificate is on the
 * meter octet for octet: the one before, whose pair the meter no longer has, goes with the others.
 */
function identityProven(journal: EnrolmentJournal, at: number): Enrolled {
  const retired = journal.slots.flatMap(({ use, credential }) =>
    journal.believed[use].filter(({ id }) => id !== credential?.id),
  );
  const alone = (use: EnrolledUse) => {
    const { credential } = slotOf(journal, use);
    return credential === undefined ? [] : [credential];
  };
  const verdict = journal.kept.length === 0 ? "enrolled" : "keeps-foreign";
  const over: EnrolmentJournal = {
    ...noted(journal, at, "passed", "its answer was signed, and ciphered under a key agreed on"),
    believed: {
      digitalSignature: alone("digitalSignature"),
      keyAgreement: alone("keyAgreement"),
      tls: alone("tls"),
    },
    proven: true,
    provenAt: at,
    verdict,
  };
  const [next, ...effects] = releasing(over);
  const retire = retired.map((credential) => ({ kind: "retire", credential }) as const);
  return [next, ...retire, ended(over, "both private keys are proven"), ...effects];
}
