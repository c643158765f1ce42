/** A session's steps as the ladder shows them: grouped by what they were for, with the time each took. Pure. */
import type { LadderStep } from "@meterkeep/api";

export interface LadderRow {
  readonly index: number;
  readonly step: LadderStep;
  /** Since the step before, ms; 0 for the first. */
  readonly afterMs: number;
  /** Since the session began, ms. */
  readonly sinceMs: number;
}

export interface LadderGroup {
  readonly name: string;
  readonly words: string;
  readonly rows: readonly LadderRow[];
}

/** Neighbours with the same step name stand together. */
export function ladderGroups(ladder: readonly LadderStep[]): readonly LadderGroup[] {
  const begun = Date.parse(ladder[0]?.at ?? "");
  const groups: { name: string; words: string; rows: LadderRow[] }[] = [];
  ladder.forEach((step, index) => {
    const at = Date.parse(step.at);
    const before = Date.parse(ladder[index - 1]?.at ?? step.at);
    // Each GET names its object, and answers overtake each other: together they are one reading.
    const name = step.step.startsWith("get ") ? "read" : step.step;
    const row = { index, step, afterMs: Math.max(0, at - before), sinceMs: Math.max(0, at - begun) };
    const open = groups.at(-1);
    if (open?.name === name) open.rows.push(row);
    else groups.push({ name, words: stepWords(name), rows: [row] });
  });
  return groups;
}

/** What a step says, without its size: that stands at the end of the rung. */
export function withoutSize(summary: string): string {
  return summary.replace(/(?:, | \()\d+ octets?\)$/, (size) => (size.startsWith(",") ? ")" : ""));
}

/** Step names are words joined by hyphens; a few read better with a word more. */
const STEP_WORDS: Readonly<Record<string, string>> = {
  "factory-association": "Associate with the factory keys",
  "identity-check": "Check who it is",
  "transfer-working-keys": "Hand over the working keys",
  "working-keys-association": "Prove the working keys by a fresh association",
  "transfer-master": "Hand over the master key, alone and last",
  "prove-master": "Prove the master key",
  "refuse-old-master": "Prove that the old master key is dead",
  "refuse-factory-keys": "Prove that the factory keys are dead",
  "current-keys-association": "Associate with the keys that are to go",
  "raise-policy": "Raise the security policy, and hear it said under the new keys",
  "find-clients": "See which clients and security setups it has",
  "change-secret": "Replace the secret of a client",
  "prove-secret": "Prove the client's new secret by opening with it",
  "agree-master": "Agree on a new master key, each side by a signature",
  "change-child-key": "Change the key of a device at an M-Bus channel",
  "refuse-old-secret": "Prove that the client's old secret is dead",
  "enrolment-association": "Associate, to give it certificates",
  "anchor-check": "Compare the trust anchor it was made with",
  "certificate-list": "See which certificates it holds",
  "generate-key-pair": "Have it make a key pair",
  "certificate-request": "Take its request, which proves that it has the key",
  "import-certificate": "Give it certificates of our authorities",
  "compare-certificate": "Compare what it exports, octet for octet",
  "remove-certificate": "Remove what is not ours",
  "prove-signature": "Prove its identity by an association with signatures",
  "signed-request": "Prove both keys by a signed answer under a key agreed on",
  "refuse-old-keys": "Prove that the old keys are dead",
};

export function stepWords(name: string): string {
  const known = STEP_WORDS[name];
  if (known !== undefined) return known;
  const text = name.replaceAll("-", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
