import type { ContactAdvance, CustodianRequest, NextContact } from "@meterkeep/api/custodian";
import { COUNTERS_PER_ASSOCIATION, sealApdu, systemTitleText } from "@meterkeep/dlms";
import type { LedgerDraft } from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { BUSY_MILLISECONDS } from "../calls/meter-turns.ts";
import { type ContactEnds, OpenContacts } from "../calls/open-contacts.ts";
import { isPermitted, requireRight } from "../calls/required-right.ts";
import { Answers } from "../conversation/answers.ts";
import { Association } from "../conversation/association.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { Line } from "../conversation/line.ts";
import { EvidenceHash } from "../evidence/evidence-hash.ts";
import { type LocalLogs, meterFacts } from "../protocol/meter-facts.ts";
import { unsealKeys, workingKeys } from "../protocol/meter-keys.ts";
import { type MeterFile, PURPOSE, type SetupPlace, setupPlace } from "../store/records.ts";
import { takeoverStateOf } from "../takeover/meter-state.ts";
import { type SettledKeys, settledKeys } from "../takeover/settled-keys.ts";
import { isInService } from "../takeover/view.ts";
import type { Leases } from "./leases.ts";
import type { LentMeters } from "./lent-meters.ts";
import { rotatedAt } from "./lent-rotation.ts";
import { LogQuestions } from "./log-questions.ts";
import { RestingCallers } from "./resting-callers.ts";
import type { UnreadLog, UnreadLogs } from "./unread-logs.ts";

/** How soon a meter is handed out again whose keys have not changed yet, or for which nobody came. */
const LATER_MILLISECONDS = 60_000;
const STEP = "local-session-log";
/** What a contact takes, whatever it is for: who may only read is let into none, and is told of none. */
const CONTACT = "configure";

/** What reading the logs of meters that were lent needs. */
export interface LogContactDependencies extends ConversationDependencies {
  readonly unreadLogs: Pick<UnreadLogs, "of" | "titles">;
  readonly lentMeters: Pick<LentMeters, "leftOf">;
  readonly leases: Pick<Leases, "logged">;
}

/** A meter whose log may be read now. */
interface Readable {
  readonly file: MeterFile;
  readonly keys: SettledKeys;
  readonly logs: LocalLogs;
  readonly unread: readonly (UnreadLog & { readonly rotatedAt: number })[];
}

interface LiveRead extends Readable, Disposable {
  readonly caller: Caller;
  readonly place: SetupPlace;
  readonly association: Association;
  readonly line: Line;
  readonly answers: Answers;
  readonly questions: LogQuestions;
  readonly evidence: EvidenceHash;
  /** Its answers are written down: what is left is to say goodbye. */
  isRead: boolean;
}

/**
 * Reads the logs of meters that come back from leases, which tell who spoke to them on the spot. The custodian asks by itself, in an
 * association of its own, and what is not authentic is no answer: a head-end carries octets, and can keep them back and no more. It asks
 * only under keys that came after the lent ones: whoever has those could answer in the meter's place (ADR 0074).
 *
 * A contact is *open* until its last answer is written down, then *read*, and over with the release.
 */
export class LogContacts {
  readonly #dependencies: LogContactDependencies;
  readonly #contacts: OpenContacts<LiveRead>;
  /** Who lost lines to a meter. */
  readonly #lost = new Map<string, RestingCallers>();
  /** Meters that were looked at for a caller or handed out to it, and until when they are not again: for others they are. */
  readonly #resting = new Map<string, number>();

  constructor(dependencies: LogContactDependencies) {
    this.#dependencies = dependencies;
    this.#contacts = new OpenContacts({
      ...dependencies,
      // Who begins many and brings none to an end counts as losing many.
      onEnd: ({ place, caller }, ended) => {
        if (ended !== "over") this.#again(place.systemTitle, caller);
      },
    });
  }

  /** Meters whose logs this caller may read now. */
  async due(limit: number, caller: Caller): Promise<readonly string[]> {
    const { unreadLogs, now } = this.#dependencies;
    const due: string[] = [];
    for (const title of unreadLogs.titles(now())) {
      if (due.length >= limit) break;
      const asked = `${caller.name}/${title}`;
      if ((this.#resting.get(asked) ?? 0) > now() || this.#isResting(title, caller)) continue;
      this.#resting.set(asked, now() + LATER_MILLISECONDS);
      const readable = await this.#readable(title);
      if (readable !== undefined && isPermitted(caller, readable.file.meter, CONTACT)) due.push(title);
    }
    return due;
  }

  /** A contact that asks for the log; undefined where there is nothing to ask, or not now. */
  async next({ meter }: CustodianRequest<"nextContact">, caller: Caller): Promise<NextContact | undefined> {
    const title = systemTitleText(meter);
    if (this.#isResting(title, caller)) return undefined;
    const readable = await this.#readable(title);
    if (readable === undefined) return undefined;
    await requireRight(caller, readable.file.meter, CONTACT, this.#dependencies);
    const standing = this.#contacts.standing(title, caller);
    if (standing === "in-use")
      return { kind: "wait", milliseconds: BUSY_MILLISECONDS, state: takeoverStateOf(readable.file) };
    if (standing === "replaced") return undefined;
    return this.#contacts.begin(title, caller, (keep) => this.#begin(readable, caller, keep));
  }

  /** Undefined where the contact is none of these. */
  advance(request: CustodianRequest<"advanceContact">, caller: Caller): Promise<ContactAdvance | undefined> {
    const { event } = request;
    return this.#contacts.advance(request, caller, (live) =>
      event.kind === "lost" ? this.#end(live) : this.#received(live, event.apdu),
    );
  }

  /** Ends contacts that nobody advances: the meter is asked anew. */
  sweep(): void {
    const { now, unreadLogs } = this.#dependencies;
    this.#contacts.sweep();
    for (const [title, until] of this.#resting) if (until <= now()) this.#resting.delete(title);
    for (const title of this.#lost.keys()) if (unreadLogs.of(title, now()).length === 0) this.#lost.delete(title);
  }

  get ends(): ContactEnds {
    return this.#contacts;
  }

  #isResting(title: string, { name }: Caller): boolean {
    return this.#lost.get(title)?.isResting(name, this.#dependencies.now()) ?? false;
  }

  /** A meter that is with nobody, has settled keys, and had others when it was lent. */
  async #readable(title: string): Promise<Readable | undefined> {
    const { unreadLogs, lentMeters, files, now } = this.#dependencies;
    const waiting = unreadLogs.of(title, now());
    if (waiting.length === 0 || lentMeters.leftOf(title, now()) > 0) return undefined;
    const file = await files.load(title);
    const logs = file && meterFacts(file.meter.profile).localLogs;
    if (file === undefined || logs === undefined || !isInService(file.meter)) return undefined;
    const unread = waiting.flatMap((one) => {
      const at = rotatedAt(file, one.leased);
      return at === undefined ? [] : [{ ...one, rotatedAt: at }];
    });
    if (unread.length === 0) return undefined;
    try {
      return { file, keys: settledKeys(file), logs, unread };
    } catch (error) {
      // It waits until they are settled again.
      if (error instanceof CallRefusal) return undefined;
      throw error;
    }
  }

  async #begin(readable: Readable, caller: Caller, keep: (live: LiveRead) => string): Promise<NextContact> {
    const { vault, committer, clientTitle, random, now } = this.#dependencies;
    const { file, keys, logs, unread } = readable;
    const { meter } = file;
    const facts = meterFacts(meter.profile);
    const secrets = await unsealKeys(vault, file.keys, [
      { purpose: PURPOSE.GUEK, version: keys.GUEK },
      { purpose: PURPOSE.GAK, version: keys.GAK },
    ]);
    const working = workingKeys(...(secrets as [(typeof secrets)[0], (typeof secrets)[0]]));
    const association = Association.secured(meter, facts, working, clientTitle(meter.utility), random);
    const place = setupPlace(meter);
    const line = new Line(this.#dependencies, place, keys.GUEK, file);
    const answers = new Answers(association, line);
    const live: LiveRead = {
      ...readable,
      ...{ caller, place, association, line, answers },
      questions: new LogQuestions(logs),
      evidence: new EvidenceHash(),
      isRead: false,
      [Symbol.dispose]: () => {
        association[Symbol.dispose]();
        line[Symbol.dispose]();
      },
    };
    try {
      const { GUEK, GAK } = keys;
      const opened = { leases: unread.map(({ lease }) => lease), step: STEP, GUEK, GAK };
      const [first] = await Promise.all([
        line.take(COUNTERS_PER_ASSOCIATION),
        committer.submit({ entries: [entry(live, now(), "lease-contact-opened", opened)] }),
      ]);
      const effect = association.take({ kind: "associate", invocationCounter: first });
      if (effect?.kind !== "send") throw new CallRefusal("custodian-failed", "the association has nothing to send");
      live.evidence.sent(effect.apdu);
      const contact = keep(live);
      const { managementClientSap: clientSap, serverSap } = facts;
      return { kind: "connect", contact, clientSap, serverSap, step: STEP, apdu: effect.apdu };
    } catch (error) {
      live[Symbol.dispose]();
      throw error;
    }
  }

  async #received(live: LiveRead, octets: Uint8Array): Promise<ContactAdvance> {
    const { association, answers, questions, evidence } = live;
    evidence.received(octets);
    if (live.isRead) return this.#end(live);
    if (!association.established) {
      const effect = association.take({ kind: "received", apdu: octets });
      if (effect?.kind === "send") return sent(live, effect.apdu);
      if (effect?.kind !== "established") return this.#end(live);
      answers.begin(effect.serverCounters);
    } else {
      const plain = answers.open(octets);
      if (plain === undefined || !questions.take(plain, this.#dependencies.now())) return this.#end(live);
    }
    return this.#ask(live);
  }

  /** Asks what is next, or writes down what came of all and says goodbye. */
  async #ask(live: LiveRead): Promise<ContactAdvance> {
    const { association, line, answers, questions } = live;
    const invocationCounter = await line.take(1);
    const plain = questions.next(this.#dependencies.now());
    const { parties } = association;
    if (plain !== undefined && parties !== undefined) {
      answers.await(plain);
      return sent(live, sealApdu(parties, plain, invocationCounter));
    }
    await this.#write(live);
    live.isRead = true;
    const release = association.take({ kind: "release", invocationCounter });
    return release?.kind === "send" ? sent(live, release.apdu) : this.#end(live);
  }

  async #write({ file, unread, questions, caller }: LiveRead): Promise<void> {
    const { systemTitle } = file.meter;
    for (const { lease, from, rotatedAt: at } of unread)
      await this.#dependencies.leases.logged(
        { lease, meter: systemTitle, ...questions.facts(from, at), rotatedAt: at },
        file.meter,
        caller,
      );
    this.#lost.delete(systemTitle);
  }

  /** The contact is over; one that came to nothing is made again, later each time by whom it was lost. */
  async #end(live: LiveRead): Promise<ContactAdvance> {
    const { committer, files, now } = this.#dependencies;
    const { systemTitle } = live.file.meter;
    const { isRead, evidence, caller, association, line } = live;
    // Whoever takes a counter of the meter meanwhile ends the reading: no answer is for certain to what was asked.
    const isInterrupted = !isRead && association.established && !line.isAlone;
    const closed = { step: STEP, isRead, ...(isInterrupted && { isInterrupted }), ...evidence.summary() };
    await committer.submit({ entries: [entry(live, now(), "lease-contact-closed", closed)] });
    const milliseconds = isRead ? 0 : this.#again(systemTitle, caller, isInterrupted);
    this.#contacts.end(live, "over");
    const file = (await files.load(systemTitle)) ?? live.file;
    const next = isRead ? "done" : "wait";
    return { kind: "close", next, milliseconds, state: takeoverStateOf(file), step: STEP };
  }

  /** @returns after how many milliseconds this caller may ask again: for others its turn is what it was. */
  #again(title: string, { name }: Caller, isInterrupted = false): number {
    const callers = this.#lost.get(title) ?? new RestingCallers();
    this.#lost.set(title, callers);
    const now = this.#dependencies.now();
    return isInterrupted ? callers.interrupted(name, now) : callers.lost(name, now);
  }
}

function sent(live: LiveRead, apdu: Uint8Array): ContactAdvance {
  live.evidence.sent(apdu);
  return { kind: "send", step: STEP, apdu };
}

function entry(
  { caller, file }: Pick<LiveRead, "caller" | "file">,
  at: number,
  kind: string,
  body: object,
): LedgerDraft {
  const { utility, island, systemTitle: meter } = file.meter;
  return { at, kind, principal: caller.name, utility, island, meter, body };
}
