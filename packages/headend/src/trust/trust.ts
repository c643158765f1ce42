import type { TrustStateName } from "@meterkeep/api";
import type { TakeoverGrade, TakeoverPhase, TakeoverVerdict } from "@meterkeep/api/custodian";

/** What is known about a source that its trust follows from. */
export interface TrustFacts {
  readonly phase: TakeoverPhase;
  readonly grade: TakeoverGrade;
  readonly verdict: TakeoverVerdict;
  /** Who could have held the factory keys: the taint set. */
  readonly holders: readonly string[];
  /** The worst protection that its data came with, for sources that are not taken over. */
  readonly protection: "authenticated" | "confidential" | "none" | undefined;
  /** Set by a person or a detection, and it stands until it is lifted. */
  readonly imposed?: { readonly state: "degraded" | "quarantined" | "distrusted" | "retired"; readonly why: string };
}

/** What the facts amount to; `reason` is for programs, `sentence` for people. */
export interface Trust {
  readonly state: TrustStateName;
  readonly reason: string;
  readonly sentence: string;
}

/**
 * Judges a source. Total, and without memory: the same facts give the same trust.
 *
 * A key change over the field network under factory keys can be unlocked by whoever held those keys and recorded it, so
 * it is worth `provisional` at most; only one that nobody could record is worth `trusted`.
 */
export function judgeTrust(facts: TrustFacts): Trust {
  if (facts.phase === "left")
    return trust(
      "retired",
      "left",
      "It is not in service here any more: nothing is read of it, and its keys open nothing.",
    );
  if (facts.imposed !== undefined) return trust(facts.imposed.state, "imposed", facts.imposed.why);
  if (facts.phase === "not-applicable") return judgeAttached(facts);
  switch (facts.verdict) {
    case "keeps-factory-keys":
      return trust(
        "quarantined",
        facts.verdict,
        "It acknowledged new keys and still answers to the factory's: its data is quarantined, the supply stays on.",
      );
    case "keeps-master-key":
      return trust(
        "quarantined",
        facts.verdict,
        "It still accepts key changes under the factory's master key: its data is quarantined, the supply stays on.",
      );
    case "identity-differs":
      return trust(
        "quarantined",
        facts.verdict,
        "It is not the meter that the shipment names: its data is quarantined until somebody has looked.",
      );
    case "refuses-key-change":
      return trust("held", facts.verdict, "It refuses to change its keys, so the factory's are still its own.");
    case "unknown":
      return trust(
        "held",
        facts.verdict,
        "A reply was lost while keys changed; which ones it holds is being found out.",
      );
    case "pending":
      return facts.phase === "not-started"
        ? trust("held", "shipped", "It is known from its shipment and nobody has spoken with it yet.")
        : trust("held", "under-way", "Its keys are being changed; until that is proven its data decides nothing.");
    case "proven":
      return judgeProven(facts);
    default:
      return facts.verdict satisfies never;
  }
}

/**
 * What a meter is worth of whom the custodian gives no state: a row of its keys, counters or takeover does not carry the
 * custodian's MAC or was put back (the custodian's `record-refused`), or is gone. Holds until the custodian gives one again.
 */
export const RECORD_REFUSED: Trust = trust(
  "quarantined",
  "record-refused",
  "The custodian refuses its record: a row of its keys, counters or takeover was changed, moved, put back or removed in the custodian's database. Nothing is sealed for it until that is settled; the supply stays on.",
);

function judgeProven(facts: TrustFacts): Trust {
  if (facts.grade === "shielded")
    return trust(
      "trusted",
      "proven-shielded",
      "Its keys were changed in the depot where nobody could listen, and the factory's are proven dead.",
    );
  if (facts.grade === "agreed")
    return trust(
      "trusted",
      "proven-agreed",
      "Its keys were changed under a master that it and the custodian agreed on by signature: nobody who held the factory's has them.",
    );
  if (facts.holders.length === 0)
    return trust(
      "trusted",
      "proven-untainted",
      "Its keys were changed, the factory's are proven dead, and nobody else had them.",
    );
  return trust(
    "provisional",
    "proven-exposed",
    `Its keys were changed over the field network: ${listed(facts.holders)} held the factory keys and could have listened.`,
  );
}

function judgeAttached(facts: TrustFacts): Trust {
  switch (facts.protection) {
    case undefined:
      return trust("held", "attached", "Its keys were added by hand and nothing has been heard from it yet.");
    case "authenticated":
      return trust(
        "provisional",
        "attached-authenticated",
        "Its messages carry valid tags, but its keys were not made here and others may hold them.",
      );
    case "confidential":
      return trust(
        "held",
        "attached-confidential",
        "Its messages are encrypted but carry no tag: anybody could have altered them on the way.",
      );
    case "none":
      return trust("held", "attached-clear", "Its messages come in clear: anybody could have sent them.");
    default:
      return facts.protection satisfies never;
  }
}

/** The reason that a meter was added with keys that others know or can guess: no tag raises its trust. */
export const ATTACHED_WEAK_KEYS = "attached-weak-keys";

/** What is said of such a meter, from the custodian's findings; a sentence each, without a key in it. */
export function weakKeysSentence(findings: readonly string[]): string {
  return `${findings.join(" ")} Whoever knows that can speak for this meter, so what it sends proves nothing.`;
}

function trust(state: TrustStateName, reason: string, sentence: string): Trust {
  return { state, reason, sentence };
}

function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length === 1 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}
