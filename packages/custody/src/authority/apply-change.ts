import {
  CHANGE_KINDS,
  type ChangeRequest,
  isNotLooser,
  readCanonical,
  type Thresholds,
  thresholds,
  Wrong,
} from "@meterkeep/guard";
import { DAY_MILLISECONDS } from "../day.ts";
import { type Approver, type AuthorityDocument, approver, approverKey, FOUNDERS, thresholdsAt } from "./document.ts";
import { ecPublicKey } from "./people/user-signature.ts";

/** Looser thresholds begin so long after they were agreed to. */
const LOOSER_AFTER_MILLISECONDS = DAY_MILLISECONDS;
const MINUTE = 60_000;
/** The longest that the caps are lifted. */
export const MOST_BREAK_GLASS_MINUTES = 240;

/** What a change makes of the document, or why it makes nothing; `elsewhere` is a change that another part carries out. */
export type Applied = { readonly next: AuthorityDocument } | { readonly problem: string } | "elsewhere";

/** How many people a change needs. */
export function peopleFor(kind: ChangeRequest["kind"], { approvals }: Thresholds): number {
  const { people } = CHANGE_KINDS[kind];
  return people === "one" ? 1 : approvals[people];
}

/** Applies a change to the document, as it is at a moment. */
export function applyChange(
  document: AuthorityDocument,
  { kind, body }: Pick<ChangeRequest, "kind" | "body">,
  hash: string,
  now: number,
): Applied {
  switch (kind) {
    case "enrol-approver":
      return enrolled(document, approverIn(body, now));
    case "replace-approver":
      return replaced(document, String(body["replaces"]), approverIn(body, now));
    case "remove-approver":
      return removed(document, String(body["approver"]));
    case "reinstate-approver":
      return reinstated(document, String(body["approver"]));
    case "enrol-policy-service": {
      const [name, publicKey] = [String(body["name"]), String(body["publicKey"])];
      if (ecPublicKey(Buffer.from(publicKey, "hex")) === undefined)
        return { problem: "its public key is no EC key on P-256 or P-384" };
      const others = document.policyServices.filter((one) => one.name !== name);
      return { next: { ...document, policyServices: [...others, { name, publicKey, enrolledAt: now }] } };
    }
    case "remove-policy-service": {
      const others = document.policyServices.filter(({ name }) => name !== body["name"]);
      return others.length === document.policyServices.length
        ? { problem: `no policy service is called ${String(body["name"])}` }
        : { next: { ...document, policyServices: others } };
    }
    case "tighten-thresholds":
    case "loosen-thresholds":
      return withThresholds(document, kind, body["thresholds"], now);
    case "thaw":
      if (document.frozen === undefined) return { problem: "nothing is frozen" };
      // An approval of one freeze is none of the next.
      return document.frozen.since === body["since"]
        ? { next: { ...document, frozen: undefined } }
        : { problem: "it was frozen anew since" };
    case "trust-clock":
      // An approval of one start is none of the next.
      return document.clockDoubt?.found === body["found"] && document.clockDoubt !== undefined
        ? { next: { ...document, clockDoubt: undefined } }
        : { problem: "that clock is not in doubt" };
    case "break-glass": {
      const { minutes, reason } = body;
      if (typeof minutes !== "number" || minutes < 1 || minutes > MOST_BREAK_GLASS_MINUTES)
        return { problem: `it lasts 1 to ${MOST_BREAK_GLASS_MINUTES} minutes` };
      const breakGlass = { since: now, until: now + minutes * MINUTE, reason: String(reason ?? ""), change: hash };
      return { next: { ...document, breakGlass } };
    }
    default:
      return "elsewhere";
  }
}

/** An approver as a change or an enrolment names one. */
export function approverIn(body: ChangeRequest["body"], now: number): Approver | string {
  const { id, name, roles, keyKind, publicKey, credentialId, signCount } = body;
  const key =
    keyKind === "passkey"
      ? { kind: "passkey", credentialId, publicKey, signCount: signCount ?? 0 }
      : { kind: "signature", publicKey };
  const read = approver({ id, name, roles, key, enrolledAt: now, suspended: undefined });
  if (read instanceof Wrong) return read.why;
  const checked = approverKey(read.key);
  if (checked instanceof Wrong) return checked.why;
  return ecPublicKey(Buffer.from(read.key.publicKey, "hex")) === undefined
    ? "publicKey: no EC key on P-256 or P-384"
    : read;
}

/** The document with one more approver. */
export function enrolled(document: AuthorityDocument, one: Approver | string): Applied {
  if (typeof one === "string") return { problem: one };
  const { approvers, removed: gone } = document;
  if (gone.includes(one.id) || approvers.some(({ id }) => id === one.id))
    return { problem: `the id ${one.id} is, or was, somebody's` };
  if (approvers.some(({ key }) => key.publicKey === one.key.publicKey))
    return { problem: "this key is enrolled already" };
  return { next: { ...document, approvers: [...approvers, one] } };
}

/** The document with another key of the same person, with the same rights, in the place of one that is lost. */
function replaced(document: AuthorityDocument, id: string, one: Approver | string): Applied {
  if (typeof one === "string") return { problem: one };
  const { approvers, removed: gone } = document;
  const lost = approvers.find((each) => each.id === id);
  if (lost === undefined) return { problem: `no approver has the id ${id}` };
  if (lost.name !== one.name || [...lost.roles].sort().join() !== [...one.roles].sort().join())
    return {
      problem: `whose key comes in the place of ${id} is ${lost.name}, with the roles ${lost.roles.join(", ")}`,
    };
  const others = approvers.filter((each) => each !== lost);
  return enrolled({ ...document, approvers: others, removed: [...gone, id] }, one);
}

function removed(document: AuthorityDocument, id: string): Applied {
  const { approvers, removed: gone } = document;
  const others = approvers.filter((one) => one.id !== id);
  if (others.length === approvers.length) return { problem: `no approver has the id ${id}` };
  if (isTooFew(others)) return TOO_FEW;
  return { next: { ...document, approvers: others, removed: [...gone, id] } };
}

/** The document with an approver suspended, at once and by nobody's leave; the same one where that was done before. */
export function suspended(
  document: AuthorityDocument,
  id: string,
  suspension: NonNullable<Approver["suspended"]>,
): Applied {
  // Whoever owns the head-end could otherwise leave nobody who thaws, enrols or reinstates anybody.
  const { approvers } = document;
  const known = approvers.find((one) => one.id === id);
  if (known !== undefined && known.suspended === undefined && isTooFew(approvers.filter((one) => one !== known)))
    return TOO_FEW;
  return suspendedAgain(document, id, suspension);
}

/** The same of one who was suspended before a restore, however few are left: what was true stays true. */
export function suspendedAgain(
  document: AuthorityDocument,
  id: string,
  suspension: NonNullable<Approver["suspended"]>,
): Applied {
  const { approvers } = document;
  const known = approvers.find((one) => one.id === id);
  if (known === undefined) return { problem: `no approver has the id ${id}` };
  if (known.suspended !== undefined) return { next: document };
  return {
    next: { ...document, approvers: approvers.map((one) => (one === known ? { ...one, suspended: suspension } : one)) },
  };
}

/** Whether fewer people are left whose approvals count than it takes to thaw, to enrol or to reinstate anybody. */
export function isLeftAlone({ approvers }: AuthorityDocument): boolean {
  return isTooFew(approvers);
}

function reinstated(document: AuthorityDocument, id: string): Applied {
  const { approvers } = document;
  return approvers.some((one) => one.id === id && one.suspended !== undefined)
    ? {
        next: {
          ...document,
          approvers: approvers.map((one) => (one.id === id ? { ...one, suspended: undefined } : one)),
        },
      }
    : { problem: `no suspended approver has the id ${id}` };
}

const TOO_FEW = { problem: `fewer than ${FOUNDERS} people would be left: enrol another one first` } as const;

function isTooFew(left: readonly Approver[]): boolean {
  return new Set(left.filter((one) => one.suspended === undefined).map(({ name }) => name)).size < FOUNDERS;
}

function withThresholds(document: AuthorityDocument, kind: string, written: unknown, now: number): Applied {
  const next = typeof written === "string" ? readCanonical(written, thresholds) : new Wrong("no thresholds");
  if (next instanceof Wrong) return { problem: `thresholds: ${next.why}` };
  const present = thresholdsAt(document, now);
  if (kind === "loosen-thresholds")
    return {
      next: { ...document, thresholds: present, pending: { thresholds: next, from: now + LOOSER_AFTER_MILLISECONDS } },
    };
  return isNotLooser(next, present)
    ? { next: { ...document, thresholds: next, pending: undefined } }
    : { problem: "they allow more somewhere: that is loosen-thresholds" };
}
