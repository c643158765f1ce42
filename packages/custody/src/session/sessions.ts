import type {
  CustodianRequest,
  CustodianResponse,
  OpenResult,
  SealResult,
  SessionAdvance,
  SessionOutcome,
} from "@meterkeep/api/custodian";
import { DlmsError, systemTitleText } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { Counts } from "../calls/counts.ts";
import { Handles } from "../calls/handles.ts";
import { type Opening, Openings } from "../calls/openings.ts";
import { isPermitted } from "../calls/required-right.ts";
import { type BucketSize, TokenBuckets } from "../calls/token-bucket.ts";
import { EVIDENCE_PLACE_BYTES } from "../evidence/evidence-hash.ts";
import { OctetPlaces } from "../memory/octet-places.ts";
import { keepWindows } from "../records/kept-windows.ts";
import { beginSession, type OpeningDependencies } from "./begin-session.ts";
import type { Shown } from "./critical-turn.ts";
import { hear, mustBeSigned } from "./heard-answers.ts";
import { KeptKeys } from "./kept-keys.ts";
import type { RefusingMeters } from "./refusing-meters.ts";
import type { SealBudget } from "./seal-budget.ts";
import { type CriticalPort, Sealing } from "./sealing.ts";
import { during, type Session } from "./session.ts";
import { sessionEntry } from "./session-entry.ts";
import { asCallRefusal, asRefused, failureOf, isOvertaken, sessionUnknown } from "./session-refusals.ts";

/** With more sessions open than this, what opens and ends them waits for others to share a commit. */
const SHARING_SESSIONS = 8;

/**
 * Sessions whose openings and ends wait for nobody, since somebody waits for what they bring: a caller may have so many at once, and so
 * many more a second. Those beyond wait as all others do, some milliseconds: no head-end makes each commit its own.
 */
export const HURRIED_SESSIONS: BucketSize = { burst: 32, perSecond: 8 };

/** A session that nobody uses for so long is closed. */
export const IDLE_MILLISECONDS = 5 * 60_000;

/** What sessions need beyond what each is opened with. */
export interface SessionDependencies extends OpeningDependencies {
  readonly refusing: Pick<RefusingMeters, "proven" | "refused">;
  /** Sessions open at once, over all callers: no head-end may fill the memory of all. */
  readonly mostSessions: number;
}

/**
 * Crypto sessions: associations with meters whose keys have been settled, for reading.
 *
 * States of a session: *associating* (AARQ out, `advance` goes on), *established* (`seal` and `open`), *gone* (closed,
 * failed, or idle for too long). The opening entry is in the ledger before the AARQ leaves, the closing one when it is
 * over.
 */
export class Sessions {
  readonly #dependencies: SessionDependencies;
  readonly #budget: SealBudget;
  readonly #critical: CriticalPort;
  readonly #sealing: Sealing;
  readonly #sessions = new Handles<Session>();
  readonly #kept = new KeptKeys();
  readonly #evidence = new OctetPlaces(EVIDENCE_PLACE_BYTES);
  /** Openings under way, by principal. */
  readonly #opening = new Counts();
  readonly #openings = new Openings();
  /** By principal: what one hurries is nothing to the others. */
  readonly #hurried: TokenBuckets;

  constructor(dependencies: SessionDependencies, budget: SealBudget, critical: CriticalPort) {
    this.#dependencies = dependencies;
    this.#budget = budget;
    this.#critical = critical;
    this.#hurried = new TokenBuckets(HURRIED_SESSIONS, dependencies.now);
    const counters = this.#counters.bind(this);
    this.#sealing = new Sealing({ budget, critical, bursts: dependencies.bursts, now: dependencies.now, counters });
  }

  /** Opens a session. What a caller has opened and is opening counts against what it may have open. */
  async open(request: CustodianRequest<"openSession">, caller: Caller): Promise<CustodianResponse<"openSession">> {
    const { mostSessions } = this.#dependencies;
    const most = caller.rights?.sessions ?? mostSessions;
    if (this.#sessions.size >= mostSessions)
      throw new CallRefusal("too-many-open", `${mostSessions} sessions are open`);
    if (!this.#opening.enter(caller.name, most - this.#sessions.countOf(caller)))
      throw new CallRefusal("too-many-open", `${most} sessions are open, which is all that ${caller.name} may have`);
    try {
      const title = systemTitleText(request.meter);
      // In one turn with the note that it is being opened: whoever has a meter leave ends what is noted.
      this.#dependencies.leaving.requireStaying(title);
      return await this.#openings.during(title, caller.name, (opening) => this.#open(request, caller, opening));
    } finally {
      this.#opening.leave(caller.name);
    }
  }

  async #open(
    request: CustodianRequest<"openSession">,
    caller: Caller,
    opening: Opening,
  ): Promise<CustodianResponse<"openSession">> {
    const mayHurry = ({ name }: Caller) => this.#hurried.take(name, 1);
    const common = { budget: this.#budget, kept: this.#kept, evidence: this.#evidence };
    const shared = { ...common, canWait: this.#areMany, mayHurry };
    const begun = await beginSession({ ...this.#dependencies, ...shared }, request, caller, opening.title);
    const { session: open, failure } = begun;
    if (failure !== undefined) {
      await this.#closed(open, "failed", "it could not be opened");
      throw asCallRefusal(failure.error);
    }
    if (opening.ended !== undefined) {
      await this.#closed(open, "abandoned", opening.ended.reason);
      throw new CallRefusal("session-unknown", "the session was ended while it was opened");
    }
    const { clientSap, serverSap, apdu } = begun;
    open.evidence.sent(apdu);
    const session = this.#sessions.add(open, this.#dependencies.now());
    return { session, clientSap, serverSap, apdu };
  }

  async advance({ session, received }: CustodianRequest<"advanceSession">, caller: Caller): Promise<SessionAdvance> {
    const open = this.#find(session, caller);
    const advance = await during(open, this.#advanced(open, received, caller));
    if (!(advance instanceof DlmsError)) return advance;
    const overtaken = isOvertaken(advance, open.line);
    // Not inside: the end waits for what is under way.
    await this.#end(session, open, "failed", `${advance.code}: ${advance.message}`);
    await this.#dependencies.refusing.refused(open.place, overtaken);
    return failureOf(advance, overtaken);
  }

  /** What comes of an APDU; the error where the association failed. */
  async #advanced(open: Session, received: Uint8Array, caller: Caller): Promise<SessionAdvance | DlmsError> {
    open.evidence.received(received);
    const effect = await open.association.take({ kind: "received", apdu: received });
    switch (effect?.kind) {
      case "send":
        open.evidence.sent(effect.apdu);
        return { kind: "send", apdu: effect.apdu };
      case "established": {
        await this.#proven(open, effect.serverCounters, caller);
        const { conformance, maxReceivePduSize } = effect.negotiated;
        return { kind: "established", conformance: [...conformance], maxReceivePduSize: maxReceivePduSize ?? 0 };
      }
      case "failed":
        return effect.error;
      default:
        throw new CallRefusal("session-not-established", "nothing is awaited from the meter in this session");
    }
  }

  /** The meter has proven itself: what its counters say is believed from here. */
  async #proven({ line, place, keyVersion, isProven }: Session, counters: readonly number[], caller: Caller) {
    const { bursts, now, refusing } = this.#dependencies;
    refusing.proven(place);
    line.proven(counters);
    // The same counter under the same key twice: the meter was reset, exchanged or copied, or its proof was shown elsewhere.
    if (line.isDoubtful)
      await bursts.record([sessionEntry("receive-counter-not-new", caller, place, now(), { keyVersion, counters })]);
    await this.#critical.established(place, { first: line.first, keyVersion, isProven }, caller);
  }

  /** Seals, in the same turn of the event loop where nothing has to be waited for. */
  seal({ session, items }: CustodianRequest<"seal">, caller: Caller): Promise<SealResult[]> | SealResult[] {
    try {
      const open = this.#find(session, caller);
      if (!open.association.established) throw new CallRefusal("session-not-established", "nothing can be sealed yet");
      const sealing = this.#sealing.seal(open, items, caller);
      return sealing instanceof Promise ? during(open, sealing) : sealing;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async openApdus({ session, apdus }: CustodianRequest<"open">, caller: Caller): Promise<OpenResult[]> {
    const open = this.#find(session, caller);
    if (!open.association.established) throw new CallRefusal("session-not-established", "nothing can be opened yet");
    return during(open, this.#opened(open, apdus, caller));
  }

  async #opened(open: Session, apdus: readonly Uint8Array[], caller: Caller): Promise<OpenResult[]> {
    const opened = await open.association.open(apdus, (octets) => mustBeSigned(open, octets));
    const { results, shown, hasPush } = hear(open, apdus, opened);
    if (hasPush) await this.#committed(open);
    for (const answer of shown) await this.#settled(open, answer, caller);
    return [...results];
  }

  /** Makes the counters that were accepted durable. */
  async #committed({ line }: Session): Promise<void> {
    const stored = line.record();
    if (stored === undefined) return;
    await keepWindows(this.#dependencies, [stored]);
  }

  async #settled({ place, keyVersion }: Session, answer: Shown, caller: Caller): Promise<void> {
    if (answer.nonce === undefined) return this.#critical.transacted(place, answer.counter, caller);
    const { nonce, counter, transactionId, outcome } = answer;
    const isSigned = transactionId !== undefined;
    return this.#critical.answered(place, { nonce, counter, keyVersion, isSigned }, outcome, caller);
  }

  async release(
    { session }: CustodianRequest<"releaseSession">,
    caller: Caller,
  ): Promise<{ readonly apdu: Uint8Array }> {
    const open = this.#find(session, caller);
    if (!open.association.established)
      throw new CallRefusal("session-not-established", "there is no association to be released");
    return during(open, this.#release(open));
  }

  async #release(open: Session): Promise<{ readonly apdu: Uint8Array }> {
    // The one counter of a release is in the price of the session: what was begun can always be ended in good order.
    const counter = await this.#counters(open, 1);
    const effect = await open.association.take({ kind: "release", invocationCounter: counter });
    if (effect?.kind !== "send") throw new CallRefusal("custodian-failed", "no RLRQ could be made");
    open.evidence.sent(effect.apdu);
    return { apdu: effect.apdu };
  }

  /** Closes a session whatever comes of its release, where one is asked for; the RLRQ leaves when the closing entry has it. */
  async close(
    { session, outcome, releases = false }: CustodianRequest<"closeSession">,
    caller: Caller,
  ): Promise<CustodianResponse<"closeSession">> {
    const open = this.#sessions.find(session, caller, this.#dependencies.now());
    if (open === undefined) throw sessionUnknown();
    try {
      return releases ? await this.release({ session }, caller) : {};
    } finally {
      await this.#end(session, open, outcome);
    }
  }

  /** Closes what nobody has used for long. */
  async sweep(): Promise<void> {
    this.#budget.sweep();
    this.#hurried.sweep();
    const idle = this.#sessions.idleSince(this.#dependencies.now() - IDLE_MILLISECONDS);
    for (const [handle, session] of idle) await this.#end(handle, session, "abandoned");
  }

  /** Ends the sessions of a meter that leaves, or whose record was refused: its keys are used no more. */
  async endOf(title: string, reason: string): Promise<void> {
    const openings = this.#openings.end((opening) => opening.title === title, reason);
    const open = [...this.#sessions.entries()].filter(([, { place }]) => place.systemTitle === title);
    for (const [handle, session] of open) await this.#end(handle, session, "abandoned", reason);
    await openings;
  }

  /** Ends the sessions of a caller that has gone: nobody else can use them. */
  async endOfCaller(name: string): Promise<void> {
    const reason = "who opened it has gone";
    const openings = this.#openings.end(({ caller }) => caller === name, reason);
    const open = [...this.#sessions.entries()].filter(([, { caller }]) => caller.name === name);
    for (const [handle, session] of open) await this.#end(handle, session, "abandoned", reason);
    await openings;
  }

  /** Closes everything, and opens nothing more: the custodian is going. */
  async closeAll(): Promise<void> {
    await Promise.all([
      this.#openings.close(),
      ...this.#sessions.entries().map(([handle, session]) => this.#end(handle, session, "abandoned")),
    ]);
  }

  get #areMany(): boolean {
    return this.#sessions.size > SHARING_SESSIONS;
  }

  #find(handle: string, caller: Caller): Session {
    const session = this.#sessions.find(handle, caller, this.#dependencies.now());
    // Rights that were taken away end what was begun with them.
    const isGranted = session !== undefined && isPermitted(caller, session.place, session.purpose);
    if (session === undefined || !isGranted) throw sessionUnknown();
    return session;
  }

  /** Counters, at once where they are reserved already. */
  #counters(session: Session, count: number): Promise<number> | number {
    const { lentMeters, now } = this.#dependencies;
    const { place, line, purpose } = session;
    try {
      if (purpose === "read") lentMeters.requireNotLent(place.systemTitle, now());
    } catch (error) {
      // What else was asked in the same call is still written down.
      return Promise.reject(error);
    }
    return line.takeAtHand(count) ?? line.take(count).catch(asRefused);
  }

  async #end(handle: string, session: Session, outcome: SessionOutcome, reason?: string): Promise<void> {
    // Whoever came first ends it: a session has one closing entry.
    if (!this.#sessions.remove(handle)) return;
    // Nobody finds it any more; what was begun before is sealed, counted and hashed before the entry says what was.
    if (session.underWay > 0) await new Promise<void>((resolve) => session.waiting.push(resolve));
    await this.#closed(session, outcome, reason);
  }

  /** Lets go of what a session has, and writes its closing entry. */
  async #closed(session: Session, outcome: SessionOutcome, reason: string | undefined): Promise<void> {
    const { now } = this.#dependencies;
    session.association.dispose();
    this.#budget.letGo(session);
    const { place, line, refused, caller, isAwaited } = session;
    using evidence = session.evidence;
    using _ = line;
    const stored = line.record();
    const body = { outcome, ...(reason === undefined ? {} : { reason }), refused, ...evidence.summary() };
    await keepWindows(this.#dependencies, stored === undefined ? [] : [stored], {
      entries: [sessionEntry("session-closed", caller, place, now(), body)],
      canWait: this.#areMany && !isAwaited,
    });
  }
}
