import type { LedgerDraft } from "@meterkeep/ledger";
import { CARRIED_KINDS } from "../exposure/carried.ts";
import { SECRET } from "../store/records.ts";
import { contactEntry } from "./commit-step.ts";
import type { Exchange } from "./exchange.ts";
import type { Journal } from "./journal.ts";
import type { LiveContact } from "./live-contact.ts";

/** The entries of a contact that is opened, with its first exchange. */
export function openingEntries(live: LiveContact, exchange: Exchange, at: number): LedgerDraft[] {
  const { journal } = live;
  const opened = contactEntry(live, at, `${kindOf(journal)}-contact-opened`, {
    step: exchange.step,
    carrier: journal.contact?.carrier,
    ...(exchange.kind === "associate" && { GUEK: exchange.GUEK, GAK: exchange.GAK }),
    ...(exchange.kind === "associate-secret" && { secret: exchange.key }),
  });
  // A password goes to the meter in clear: whoever carries it has it from then on.
  const isLent = exchange.kind === "associate-secret" && exchange.key.purpose === SECRET.LLS;
  return [opened, ...(isLent ? [contactEntry(live, at, CARRIED_KINDS.lent, { key: exchange.key })] : [])];
}

/** The entry of an exchange that changes something on the meter, for the commit before it leaves. */
export function exchangeEntries(live: LiveContact, exchange: Exchange, journal: Journal, at: number): LedgerDraft[] {
  switch (exchange.kind) {
    case "transfer": {
      const { keys, under, step } = exchange;
      return [contactEntry(live, at, "key-transfer-sealed", { step, keys, under })];
    }
    case "change-secret":
    case "set-child-key": {
      // A secret goes under the working keys of the association, in which it lies in clear.
      const what = exchange.kind === "change-secret" ? CARRIED_KINDS.secret : CARRIED_KINDS.child;
      return [contactEntry(live, at, what, { key: exchange.key, GUEK: journal.contact?.GUEK })];
    }
    case "raise-policy":
      return [contactEntry(live, at, "policy-raise-sealed", { to: exchange.to })];
    default:
      return [];
  }
}

/** What a change is called in the kinds of its entries. */
export function kindOf({ cause }: Pick<Journal, "cause">): "takeover" | "rotation" {
  return cause === "takeover" ? cause : "rotation";
}
