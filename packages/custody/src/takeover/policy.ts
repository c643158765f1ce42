import { FULL_POLICY } from "../protocol/meter-facts.ts";
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
  { policy: rule }: TakeoverRules,
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
  const wanted = rule === "found" ? fullPolicy(value, policy) : rule;
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
  const said = noted(journal, contactOf(journal).step, at, accepted ? "passed" : "refused", detail);
  return accepted || said.policy === undefined ? said : { ...said, policy: { ...said.policy, bitsRefused: true } };
}

/**
 * What asks for everything in the version of the security setup that the meter's answer shows: version 0 counts from 0 to 3,
 * the bits of version 1 begin at 4. None shows none: both are tried, and the meter refuses what it does not know.
 */
function fullPolicy(value: number, { bitsRefused }: PolicyChange): number {
  if (value > 3) return FULL_POLICY[1];
  return value > 0 || bitsRefused ? FULL_POLICY[0] : FULL_POLICY[1];
}

function inHex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}
