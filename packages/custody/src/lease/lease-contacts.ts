import type { ContactAdvance, CustodianRequest, LostReason, NextContact } from "@meterkeep/api/custodian";
import { BUILT_IN_PROFILES, obisOctets, parseObis, systemTitleText } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { BUSY_MILLISECONDS } from "../calls/meter-turns.ts";
import { type ContactEnds, OpenContacts } from "../calls/open-contacts.ts";
import { requireRight } from "../calls/required-right.ts";
import { Association } from "../conversation/association.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { EvidenceHash } from "../evidence/evidence-hash.ts";
import { counterObject, meterFacts } from "../protocol/meter-facts.ts";
import { shownCounter } from "../protocol/readable.ts";
import { getRequest } from "../protocol/requests.ts";
import { type MeterFile, type SetupPlace, setupPlace } from "../store/records.ts";
import { takeoverStateOf } from "../takeover/meter-state.ts";
import { isInService } from "../takeover/view.ts";
import type { LeasedMeter } from "./lease-file.ts";
import type { Leases } from "./leases.ts";
import type { LentMeters, ReturnedMeter } from "./lent-meters.ts";
import { rotatedAt } from "./lent-rotation.ts";
import { RestingCallers } from "./resting-callers.ts";

/** After so many losses its keys are changed without. */
const MOST_SILENT = 3;
/** The same of contacts that came to nothing in any way, once the first is so long ago: that a meter is not there is anybody's word. */
const MOST_LOST = 6;
const LOST_MILLISECONDS = 6 * 3_600_000;
const STEP = "counter-hint";
const SETUP = counterObject(0);

/** What asking a meter for its counter needs. */
export interface LeaseContactDependencies
  extends Pick<ConversationDependencies, "files" | "bursts" | "sendCounters" | "leaving" | "now"> {
  readonly lentMeters: Pick<LentMeters, "returned" | "rotated">;
  readonly leases: Pick<Leases, "count">;
}

/** Contacts with one meter that came to nothing. */
interface Lost {
  readonly lease: string;
  readonly since: number;
  contacts: number;
  /** Of them those that the meter may have heard. */
  silent: number;
  readonly callers: RestingCallers;
}

interface LiveCount extends Disposable {
  readonly caller: Caller;
  readonly place: SetupPlace;
  readonly file: MeterFile;
  readonly over: ReturnedMeter;
  readonly association: Association;
  readonly evidence: EvidenceHash;
  /** Where it may show the counters of the clients that were lent; the first is being asked for. */
  asked: readonly string[];
  /** The highest that it has shown. */
  counter: number | undefined;
}

/**
 * Asks a meter, before anybody of ours uses a counter of it again, which it has taken last: a lease is over, and its journal says
 * another thing or the same. The meter is asked as by anybody, without keys: an association of ours would move what is asked for. What
 * it shows is what the line lets through, so that it can make keys change sooner and never later (ADR 0068).
 */
export class LeaseContacts {
  readonly #dependencies: LeaseContactDependencies;
  readonly #contacts: OpenContacts<LiveCount>;
  /** By system title; of the newest lease alone is anything asked. */
  readonly #lost = new Map<string, Lost>();

  constructor(dependencies: LeaseContactDependencies) {
    this.#dependencies = dependencies;
    this.#contacts = new OpenContacts({
      ...dependencies,
      // One that nobody brought to an end counts as one that came to nothing.
      onEnd: (live, ended) => {
        if (ended !== "over") this.#noteLost(live);
      },
    });
  }

  /** A contact that asks for the counter; undefined where the meter comes from no lease, or was asked already. */
  async next({ meter }: CustodianRequest<"nextContact">, caller: Caller): Promise<NextContact | undefined> {
    const { files, lentMeters } = this.#dependencies;
    const title = systemTitleText(meter);
    const over = lentMeters.returned(title);
    const file = over && (await files.load(title));
    if (over === undefined || over.isCounted || file === undefined || !isInService(file.meter)) return undefined;
    if (rotatedAt(file, over.leased) !== undefined) {
      this.#lost.delete(title);
      lentMeters.rotated(over.lease, title);
      return undefined;
    }
    await requireRight(caller, file.meter, "configure", this.#dependencies);
    if (this.#isGivenUp(over)) {
      await this.#write(file, over, undefined, new EvidenceHash(), caller);
      return undefined;
    }
    if (this.#contacts.standing(title, caller) === "in-use")
      return { kind: "wait", milliseconds: BUSY_MILLISECONDS, state: takeoverStateOf(file) };
    return this.#contacts.begin(title, caller, async (keep) => this.#begin(file, over, caller, keep));
  }

  #begin(file: MeterFile, over: ReturnedMeter, caller: Caller, keep: (live: LiveCount) => string): NextContact {
    const { publicClientSap: clientSap, serverSap } = meterFacts(file.meter.profile);
    const association = Association.open();
    const begun = association.take({ kind: "associate", invocationCounter: 0 });
    if (begun?.kind !== "send") throw new CallRefusal("custodian-failed", "the association has nothing to send");
    const evidence = new EvidenceHash();
    evidence.sent(begun.apdu);
    const asked = counterObjects(over.leased);
    const contact = keep({
      ...{ caller, place: setupPlace(file.meter), file, over, association, evidence, asked },
      counter: undefined,
      [Symbol.dispose]: () => association[Symbol.dispose](),
    });
    return { kind: "connect", contact, clientSap, serverSap, step: STEP, apdu: begun.apdu };
  }

  /** Whether this caller lost the line to a meter and is to leave it alone for now; for all others its turn is what it was. */
  isResting(title: string, caller: Caller): boolean {
    return this.#lost.get(title)?.callers.isResting(caller.name, this.#dependencies.now()) ?? false;
  }

  /** Undefined where the contact is none of a lease. */
  advance(request: CustodianRequest<"advanceContact">, caller: Caller): Promise<ContactAdvance | undefined> {
    const { event } = request;
    return this.#contacts.advance(request, caller, (live) =>
      event.kind === "lost" ? this.#lostLine(live, event.reason) : this.#received(live, event.apdu),
    );
  }

  /** Ends contacts that nobody advances: the meter is asked anew. */
  sweep(): void {
    this.#contacts.sweep();
  }

  get ends(): ContactEnds {
    return this.#contacts;
  }

  async #received(live: LiveCount, apdu: Uint8Array): Promise<ContactAdvance> {
    const { association, evidence } = live;
    evidence.received(apdu);
    if (!association.established) {
      // A meter that lets nobody in without keys shows nobody its counter.
      if (association.take({ kind: "received", apdu })?.kind !== "established") return this.#counted(live);
    } else {
      const shown = shownCounter(apdu);
      if (shown !== undefined) live.counter = Math.max(shown, live.counter ?? 0);
      live.asked = live.asked.slice(1);
    }
    const [logicalName] = live.asked;
    // The security setup's own is asked for where the clients have none apart.
    if (logicalName === undefined || (logicalName === SETUP.logicalName && live.counter !== undefined))
      return this.#counted(live);
    const request = getRequest({ ...SETUP, logicalName });
    evidence.sent(request);
    return { kind: "send", step: STEP, apdu: request };
  }

  async #lostLine(live: LiveCount, reason: LostReason): Promise<ContactAdvance> {
    const lost = this.#noteLost(live);
    // A meter that is not there at all is there for nobody, or so this caller says: its turn comes again.
    if (reason !== "unreachable") lost.silent += 1;
    if (lost.silent >= MOST_SILENT || this.#isGivenUp(live.over)) return this.#counted(live);
    return this.#close(live, "wait", lost.callers.lost(live.caller.name, this.#dependencies.now()));
  }

  async #counted(live: LiveCount): Promise<ContactAdvance> {
    const { file, over, evidence, caller, counter } = live;
    await this.#write(file, over, counter, evidence, caller);
    return this.#close(live, "reconnect", 0);
  }

  async #write(
    file: MeterFile,
    over: ReturnedMeter,
    counter: number | undefined,
    evidence: EvidenceHash,
    caller: Caller,
  ): Promise<void> {
    const { sendCounters, leases } = this.#dependencies;
    const place = setupPlace(file.meter);
    const { systemTitle } = place;
    const shown = counter === undefined ? {} : { counter };
    const read = { lease: over.lease, meter: systemTitle, ...shown, ours: await sendCounters.next(place) };
    await leases.count(read, place, evidence.summary(), caller);
    this.#lost.delete(systemTitle);
  }

  /** Whether nobody waits any longer for what a meter has counted: no head-end keeps one from its new keys. */
  #isGivenUp({ lease, leased }: ReturnedMeter): boolean {
    const lost = this.#lost.get(leased.meter);
    if (lost?.lease !== lease || lost.contacts < MOST_LOST) return false;
    return this.#dependencies.now() >= lost.since + LOST_MILLISECONDS;
  }

  #noteLost({ file, over }: LiveCount): Lost {
    const { systemTitle } = file.meter;
    const before = this.#lost.get(systemTitle);
    const lost =
      before?.lease === over.lease
        ? before
        : { lease: over.lease, since: this.#dependencies.now(), contacts: 0, silent: 0, callers: new RestingCallers() };
    lost.contacts += 1;
    this.#lost.set(systemTitle, lost);
    return lost;
  }

  #close(live: LiveCount, next: "reconnect" | "wait", milliseconds: number): ContactAdvance {
    this.#contacts.end(live, "over");
    return { kind: "close", next, milliseconds, state: takeoverStateOf(live.file), step: STEP };
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
