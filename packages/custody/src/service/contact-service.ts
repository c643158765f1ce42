import type { CustodianRequest } from "@meterkeep/api/custodian";
import { fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import type { Caller } from "../calls/caller.ts";
import type { LeavingMeters } from "../departure/leaving-meters.ts";
import type { EnrolmentContacts } from "../enrolment/contacts.ts";
import type { Enrolments } from "../enrolment/enrolments.ts";
import type { LeaseContacts } from "../lease/lease-contacts.ts";
import type { LogContacts } from "../lease/log-contacts.ts";
import type { Rotations } from "../rotation/rotations.ts";
import type { Contacts } from "../takeover/contacts.ts";
import type { CustodianService } from "./service.ts";

/** Who has contacts with meters, and who knows whose turn it is. */
export interface ContactParts {
  readonly contacts: Contacts;
  readonly rotations: Rotations;
  readonly enrolments: Enrolments;
  readonly enrolmentContacts: EnrolmentContacts;
  readonly leaseContacts: LeaseContacts;
  readonly leaving: Pick<LeavingMeters, "during">;
  readonly logContacts: LogContacts;
}

/**
 * Contacts with meters, whatever they are for: what a meter has counted under a lease comes first, since any of ours would count on
 * above it; then keys, and certificates when there is nothing to be done about those; last what a meter's log tells of a lease.
 * In the depot there are none of certificates: they can wait until the meter has its place.
 */
export function contactService({
  contacts,
  rotations,
  enrolments,
  enrolmentContacts,
  leaseContacts,
  leaving,
  logContacts,
}: ContactParts): Pick<CustodianService, "nextContact" | "advanceContact" | "contactsDue"> {
  const next = async (request: CustodianRequest<"nextContact">, title: string, caller: Caller) => {
    const counting = await leaseContacts.next(request, caller);
    if (counting !== undefined) return counting;
    const keys = await contacts.next(request, caller);
    if (keys.kind === "wait") rotations.rest(title, keys.milliseconds);
    if (keys.kind !== "nothing" || caller.role === "depot") return keys;
    const enrolment = await enrolmentContacts.next(request, caller);
    if (enrolment?.kind === "wait") enrolments.rest(title, enrolment.milliseconds);
    return enrolment ?? (await logContacts.next(request, caller)) ?? keys;
  };
  return {
    nextContact: (request, caller) => {
      const title = systemTitleText(request.meter);
      return leaving.during([title], () => next(request, title, caller));
    },
    advanceContact: async (request, caller) => {
      const counted = await leaseContacts.advance(request, caller);
      if (counted !== undefined) {
        // Its caller rests alone, who may say of any meter that it is not there.
        if (counted.kind === "close") rotations.rest(systemTitleText(counted.state.meter), 0);
        return counted;
      }
      const logged = await logContacts.advance(request, caller);
      if (logged !== undefined) return logged;
      const enrolled = await enrolmentContacts.advance(request, caller);
      if (enrolled !== undefined) {
        if (enrolled.kind === "close") enrolments.rest(systemTitleText(enrolled.state.meter), enrolled.milliseconds);
        return enrolled;
      }
      const advanced = await contacts.advance(request, caller);
      if (advanced.kind !== "close") return advanced;
      if (advanced.next === "done" && advanced.state.verdict === "proven")
        enrolments.takenOver(systemTitleText(advanced.state.meter));
      return advanced;
    },
    contactsDue: async ({ limit }, caller) => {
      const { meters } = await rotations.due(
        { limit },
        { isResting: (title) => leaseContacts.isResting(title, caller), asker: caller.name },
      );
      const more = await enrolments.due(Math.min(limit, 1000) - meters.length, caller.name);
      const told =
        caller.role === "depot"
          ? []
          : await logContacts.due(Math.min(limit, 1000) - meters.length - more.length, caller);
      // A meter may be due for several: one contact after the other is asked for when it comes.
      const titles = new Set([...meters.map(systemTitleText), ...more, ...told]);
      return { meters: [...titles].map((title) => systemTitle(fromHex(title))) };
    },
  };
}
