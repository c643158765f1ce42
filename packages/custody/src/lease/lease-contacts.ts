import type { ContactAdvance, CustodianRequest, LostReason, NextContact } from "@meterkeep/api/custodian";
import { BUILT_IN_PROFILES, obisOctets, parseObis, systemTitleText } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { Handles } from "../calls/handles.ts";
import { requireRight } from "../calls/required-right.ts";
import { Association } from "../conversation/association.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { EvidenceHash } from "../evidence/evidence-hash.ts";
import { counterObject, meterFacts } from "../protocol/meter-facts.ts";
import { shownCounter } from "../protocol/readable.ts";
import { getRequest } from "../protocol/requests.ts";
import type { MeterFile } from "../store/records.ts";
import { isInService, takeoverStateOf } from "../takeover/view.ts";
import type { LeasedMeter } from "./lease-file.ts";
import type { Leases } from "./leases.ts";
import type { LentMeters, ReturnedMeter } from "./lent-meters.ts";
import { rotatedAt } from "./lent-rotation.ts";

/** A contact that nobody advances for so long is over. */
const IDLE_MILLISECONDS = 120_000;
const MOST_CONTACTS = 20_000;
/** How soon another principal may ask again while a contact is under way. */
const BUSY_MILLISECONDS = 5000;
/** How soon a meter is asked again whose line was lost, longer each time; after so many its keys are changed without. */
const AGAIN_MILLISECONDS = 30_000;
const LONGEST_MILLISECONDS = 3_600_000;
const MOST_SILENT = 3;
const STEP = "counter-hint";
const SETUP = counterObject(0);

/** What asking a meter for its counter needs. */
export interface LeaseContactDependencies
  extends Pick<ConversationDependencies, "files" | "bursts" | "sendCounters" | "now"> {
  readonly lentMeters: Pick<LentMeters, "returned" | "rotated">;
  readonly leases: Pick<Leases, "count">;
}

interface LiveCount {
  readonly caller: Caller;
  readonly file: MeterFile;
  readonly over: ReturnedMeter;
  readonly association: Association;
  readonly evidence: EvidenceHash;
  /** Where it may show the counters of the clients that were lent; the first is being asked for. */
  asked: readonly string[];
  /** The highest that it has shown. */
  counter: number | undefined;
  busy: boolean;
}

/**
 * Asks a meter, before anybody of ours uses a counter of it again, which it has taken last: a lease is over, and its journal says
 * another thing or the same. The meter is asked as by anybody, without keys: an association of ours would move what is asked for. What
 * it shows is what the line lets through, so that it can make keys change sooner and never later (ADR 0068).
 */
export class LeaseContacts {
  readonly #dependencies: LeaseContactDependencies;
  readonly #contacts = new Handles<LiveCount>();
  /** Handle of the contact of a meter. */
  readonly #byMeter = new Map<string, string>();
  /** Lines that were lost, by lease and meter. */
  readonly #lost = new Map<string, { readonly lines: number; readonly silent: number }>();

  constructor(dependencies: LeaseContactDependencies) {
    this.#dependencies = dependencies;
  }

  /** A contact that asks for the counter; undefined where the meter comes from no lease, or was asked already. */
  async next({ meter }: CustodianRequest<"nextContact">, caller: Caller): Promise<NextContact | undefined> {
    const { files, lentMeters, now } = this.#dependencies;
    const title = systemTitleText(meter);
    const over = lentMeters.returned(title);
    const file = over && (await files.load(title));
    if (over === undefined || over.isCounted || file === undefined || !isInService(file.meter)) return undefined;
    if (rotatedAt(file, over.leased) !== undefined) {
      lentMeters.rotated(over.lease, title);
      return undefined;
    }
    await requireRight(caller, file.meter, "configure", this.#dependencies);
    const handle = this.#byMeter.get(title) ?? "";
    const running = this.#contacts.peek(handle);
    const isInUse = now() - (this.#contacts.lastUsed(handle) ?? 0) < IDLE_MILLISECONDS;
    // Two that ask at once must not end each other's contact for ever: whoever came first goes on.
    if (running !== undefined && running.caller.name !== caller.name && isInUse)
      return { kind: "wait", milliseconds: BUSY_MILLISECONDS, state: takeoverStateOf(file) };
    if (running !== undefined) this.#drop(handle, running);
    if (this.#contacts.size >= MOST_CONTACTS)
      throw new CallRefusal("too-many-open", `${MOST_CONTACTS} contacts are open`);
    const { publicClientSap: clientSap, serverSap } = meterFacts(file.meter.profile);
    const association = Association.open();
    const begun = association.take({ kind: "associate", invocationCounter: 0 });
    if (begun?.kind !== "send") throw new CallRefusal("custodian-failed", "the association has nothing to send");
    const evidence = new EvidenceHash();
    evidence.sent(begun.apdu);
    const asked = counterObjects(over.leased);
    const live = { caller, file, over, association, evidence, asked, counter: undefined, busy: false };
    const contact = this.#contacts.add(live, now());
    this.#byMeter.set(title, contact);
    return { kind: "connect", contact, clientSap, serverSap, step: STEP, apdu: begun.apdu };
  }

  /** Undefined where the contact is none of a lease. */
  async advance(
    { contact, event }: CustodianRequest<"advanceContact">,
    caller: Caller,
  ): Promise<ContactAdvance | undefined> {
    const live = this.#contacts.find(contact, caller, this.#dependencies.now());
    if (live === undefined) return undefined;
    if (live.busy) throw new CallRefusal("meter-busy", "this contact is being advanced already");
    live.busy = true;
    try {
      return event.kind === "lost"
        ? await this.#lostLine(contact, live, event.reason)
        : await this.#received(contact, live, event.apdu);
    } catch (error) {
      this.#drop(contact, live);
      throw error;
    } finally {
      live.busy = false;
    }
  }

  /** Drops contacts that nobody advances: the meter is asked anew. */
  sweep(): void {
    for (const [handle, live] of this.#contacts.idleSince(this.#dependencies.now() - IDLE_MILLISECONDS))
      this.#drop(handle, live);
  }

  /** Drops the contacts of a caller that has gone. */
  endOfCaller(name: string): void {
    for (const [handle, live] of [...this.#contacts.entries()])
      if (live.caller.name === name && !live.busy) this.#drop(handle, live);
  }

  closeAll(): void {
    for (const [handle, live] of [...this.#contacts.entries()]) this.#drop(handle, live);
  }

  async #received(handle: string, live: LiveCount, apdu: Uint8Array): Promise<ContactAdvance> {
    const { association, evidence } = live;
    evidence.received(apdu);
    if (!association.established) {
      // A meter that lets nobody in without keys shows nobody its counter.
      if (association.take({ kind: "received", apdu })?.kind !== "established") return this.#counted(handle, live);
    } else {
      const shown = shownCounter(apdu);
      if (shown !== undefined) live.counter = Math.max(shown, live.counter ?? 0);
      live.asked = live.asked.slice(1);
    }
    const [logicalName] = live.asked;
    // The security setup's own is asked for where the clients have none apart.
    if (logicalName === undefined || (logicalName === SETUP.logicalName && live.counter !== undefined))
      return this.#counted(handle, live);
    const request = getRequest({ ...SETUP, logicalName });
    evidence.sent(request);
    return { kind: "send", step: STEP, apdu: request };
  }

  async #lostLine(handle: string, live: LiveCount, reason: LostReason): Promise<ContactAdvance> {
    const { lease, leased } = live.over;
    const name = `${lease}/${leased.meter}`;
    // A meter that is not there at all is there for nobody: its turn comes again.
    const { lines, silent: before } = this.#lost.get(name) ?? { lines: 0, silent: 0 };
    const silent = reason === "unreachable" ? before : before + 1;
    if (silent >= MOST_SILENT) return this.#counted(handle, live);
    this.#lost.set(name, { lines: lines + 1, silent });
    return this.#close(handle, live, "wait", Math.min(AGAIN_MILLISECONDS * 2 ** lines, LONGEST_MILLISECONDS));
  }

  async #counted(handle: string, live: LiveCount): Promise<ContactAdvance> {
    const { sendCounters, leases } = this.#dependencies;
    const { file, over, evidence, caller, counter } = live;
    const { utility, island, systemTitle } = file.meter;
    const place = { utility, island, systemTitle, setup: 0 };
    const shown = counter === undefined ? {} : { counter };
    const read = { lease: over.lease, meter: systemTitle, ...shown, ours: await sendCounters.next(place) };
    await leases.count(read, place, evidence.summary(), caller);
    this.#lost.delete(`${over.lease}/${systemTitle}`);
    return this.#close(handle, live, "reconnect", 0);
  }

  #close(handle: string, live: LiveCount, next: "reconnect" | "wait", milliseconds: number): ContactAdvance {
    this.#drop(handle, live);
    return { kind: "close", next, milliseconds, state: takeoverStateOf(live.file), step: STEP };
  }

  #drop(handle: string, { file }: LiveCount): void {
    this.#contacts.remove(handle);
    const { systemTitle } = file.meter;
    if (this.#byMeter.get(systemTitle) === handle) this.#byMeter.delete(systemTitle);
  }
}

/** Where a meter shows the counters of the clients that were lent: some count by client (IS 15959), the others by security setup. */
function counterObjects({ profile, clients }: LeasedMeter): readonly string[] {
  const lent = Object.values(clients);
  const { clients: known = [] } = BUILT_IN_PROFILES.find(({ id }) => id === profile) ?? {};
  const own = known.flatMap(({ sap, counter }) => {
    const code = counter === undefined || !lent.includes(sap) ? undefined : parseObis(counter);
    return code === undefined ? [] : [[...obisOctets(code)].join(".")];
  });
  return [...new Set([...own.filter((name) => name !== SETUP.logicalName), SETUP.logicalName])];
}
