import type { Journal, TakeoverEffect, TakeoverEvent } from "./journal.ts";
import { contactOf, inContact, noted, type Stepped, type TakeoverRules } from "./moves.ts";
import type { PolicyChange } from "./policy-change.ts";

const MOST_ASKED = 4;
const FRESH: PolicyChange = { state: "wanted", asked: 0 };

/** Whether the policy is to be looked at. */
export function policySettled({ policy, cause }: Journal, rules: TakeoverRules): boolean {
  return cause !== "takeover" || rules.policy === undefined || policy?.state === "settled";
}

/** Asks for the policy, in an association under our keys. */
export function readPolicy(
  journal: Journal,
  rules: TakeoverRules,
  done: readonly TakeoverEffect[],
): Stepped | undefined {
  if (policySettled(journal, rules)) return undefined;
  const policy = journal.policy ?? FRESH;
  const asked = { ...journal, policy: { ...policy, asked: policy.asked + 1 } };
  return [
    inContact(asked, { stage: "reading-policy", step: "raise-policy" }),
    ...done,
    { kind: "read-policy", step: "raise-policy" },
  ];
}

/** What the meter says of its policy: enough, or to be raised. Gives no effect where nothing more is to be done about it. */
export function policyRead(
  journal: Journal,
  { at, value }: Extract<TakeoverEvent, { kind: "policy-read" }>,
  { policy: wanted }: TakeoverRules,
): readonly [Journal, ...TakeoverEffect[]] {
  const { step } = contactOf(journal);
  const policy = journal.policy ?? FRESH;
  const settled = (outcome: "passed" | "failed", detail: string, unproven?: string): readonly [Journal] => [
    {
      ...noted(journal, step, at, outcome, detail),
      policy: { ...policy, state: "settled", value, ...(unproven === undefined ? {} : { unproven }) },
    },
  ];
  if (value === undefined) return settled("failed", "it does not tell its security policy", "it does not tell it");
  if (wanted === undefined || (value & wanted) === wanted)
    return settled("passed", `it asks for protection ${inHex(value)}, under its keys`);
  if (policy.asked >= MOST_ASKED)
    return settled("failed", `its security policy stays ${inHex(value)}`, `it stays at ${inHex(value)}`);
  const raising = { ...journal, policy: { ...policy, value } };
  return [inContact(raising, { stage: "raising-policy", step }), { kind: "raise-policy", step, to: value | wanted }];
}

/** A question about the policy got no answer: it is not asked for ever. */
export function policyUnheard(journal: Journal): Journal {
  const { policy } = journal;
  if (policy === undefined || policy.asked < MOST_ASKED) return journal;
  return { ...journal, policy: { ...policy, state: "settled", unproven: "it gave no answer" } };
}

/** What the meter says to a higher policy proves nothing: it is asked for it again. */
export function policyAnswered(
  journal: Journal,
  { at, accepted, detail }: Extract<TakeoverEvent, { kind: "transfer-answered" }>,
): Journal {
  return noted(journal, contactOf(journal).step, at, accepted ? "passed" : "refused", detail);
}

function inHex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}
