import type {
  CustodianRequest,
  CustodianResponse,
  OpenResult,
  SealResult,
  SessionAdvance,
  SessionOutcome,
} from "@meterkeep/api/custodian";
import {
  COUNTERS_PER_ASSOCIATION,
  DlmsError,
  equalBytes,
  NO_BYTES,
  type SystemTitle,
  systemTitleText,
} from "@meterkeep/dlms";
import { classify, type Verdict } from "@meterkeep/guard";
import type { LedgerDraft } from "@meterkeep/ledger";
import type { CriticalRefusal, CriticalSeals } from "../authority/critical-seals.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { Counts } from "../calls/counts.ts";
import { Handles } from "../calls/handles.ts";
import { isPermitted, requireRight, unknownMeter } from "../calls/required-right.ts";
import type { SigningParties } from "../conversation/association.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { transactionIdOf } from "../conversation/transaction-id.ts";
import type { ClientKeys } from "../enrolment/client-keys.ts";
import { believedKeys, signingJournal } from "../enrolment/identity.ts";
import type { MeterAuthority } from "../enrolment/meter-authority.ts";
import { CustodyError } from "../errors.ts";
import { EvidenceHash } from "../evidence/evidence-hash.ts";
import type { LentMeters } from "../lease/lent-meters.ts";
import { meterFacts } from "../protocol/meter-facts.ts";
import { accepted, type ReceiveWindow } from "../protocol/receive-window.ts";
import { withWindowMacs } from "../records/record-mac.ts";
import type { MeterFile, SetupPlace } from "../store/records.ts";
import { settledKeys } from "../takeover/settled-keys.ts";
import { CriticalTurn, type SealedCritical } from "./critical-turn.ts";
import type { SealBudget, SealRefusal } from "./seal-budget.ts";
import { SessionAssociation } from "./session-association.ts";
import { SessionKeys } from "./session-keys.ts";

/** With more sessions open than this, what opens and ends them waits for others to share a commit. */
const SHARING_SESSIONS = 8;

/** A session that nobody uses for so long is closed. */
export const IDLE_MILLISECONDS = 5 * 60_000;

/** Who decides about critical requests. */
export type CriticalPort = Pick<CriticalSeals, "judge" | "record" | "answered" | "established" | "isFrozen">;

interface Session {
  readonly caller: Caller;
  lastUsed: number;
  readonly place: SetupPlace;
  readonly purpose: CustodianRequest<"openSession">["purpose"];
  readonly keyVersion: number;
  /** The first counter of its association: the meter has proven, once established, that it took this one. */
  readonly first: number;
  readonly turn: CriticalTurn;
  /** Everything after the association's making goes under a key of its own, and so do its counters. */
  readonly isDedicated: boolean;
  /** The counters of the meter under its unicast key in a dedicated association, for pushes. */
  highestUnicast: number | undefined;
  readonly association: SessionAssociation;
  readonly evidence: EvidenceHash;
  /** The counters of this session: nothing below the meter's proof, which answered a fresh challenge. */
  floor: number;
  window: ReceiveWindow | undefined;
  refused: number;
  /** How many calls may still seal something: the closing entry waits for them. */
  underWay: number;
  /** Told when none is. */
  readonly waiting: (() => void)[];
}

/** What sessions need beyond any conversation: our own key pairs, for meters that prove themselves by signature. */
export interface SessionDependencies extends ConversationDependencies {
  readonly clientKeys: Pick<ClientKeys, "pairs">;
  /** What of a meter's certificates stands. */
  readonly identities: Pick<MeterAuthority, "standing">;
  readonly lentMeters: Pick<LentMeters, "requireNotLent">;
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
  readonly #sessions = new Handles<Session>();
  /** Openings under way, by principal. */
  readonly #opening = new Counts();

  constructor(dependencies: SessionDependencies, budget: SealBudget, critical: CriticalPort) {
    this.#dependencies = dependencies;
    this.#budget = budget;
    this.#critical = critical;
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
      return await this.#open(request, caller);
    } finally {
      this.#opening.leave(caller.name);
    }
  }

  async #open(
    { meter, purpose, ciphering }: CustodianRequest<"openSession">,
    caller: Caller,
  ): Promise<CustodianResponse<"openSession">> {
    const { files, vault, committer, sendCounters, random, now, clientTitle, receiveWindows, keeping } =
      this.#dependencies;
    const title = systemTitleText(meter);
    const file = await files.load(title);
    if (file === undefined) throw unknownMeter(title);
    const place = placeOf(file);
    await requireRight(caller, place, purpose, this.#dependencies);
    const { GUEK, GAK } = settledKeys(file);
    if (purpose === "read") this.#dependencies.lentMeters.requireNotLent(title, now());
    await this.#budget.spendOnSession(caller, place);
    receiveWindows.learn(file.windows);
    const facts = meterFacts(file.meter.profile);
    const isDedicated = ciphering === "dedicated";
    const client = clientTitle(place.utility);
    const signing = await this.#signing(file, client);
    const keys = await SessionKeys.open(vault, file.keys, { GUEK, GAK }, keeping(place)).catch(asRefused);
    const association = new SessionAssociation(
      { meter: file.meter, facts, client, random, isDedicated, signing },
      keys,
    );
    const mechanism = signing === undefined ? 5 : 7;
    const clientSap = signing === undefined ? facts.managementClientSap : (facts.signingClientSap as number);
    try {
      // Both join one commit; neither the counters nor the entry may be missing when the AARQ leaves.
      const canWait = this.#areMany;
      const [first] = await Promise.all([
        sendCounters.take(place, GUEK, COUNTERS_PER_ASSOCIATION, canWait),
        committer.submit({
          entries: [entry("session-opened", caller, place, now(), { purpose, GUEK, GAK, mechanism })],
          canWait,
        }),
      ]);
      const effect = await association.take({ kind: "associate", invocationCounter: first });
      if (effect?.kind !== "send") throw new CallRefusal("custodian-failed", "no AARQ could be made");
      const evidence = new EvidenceHash();
      evidence.sent(effect.apdu);
      const session = this.#sessions.add({
        caller,
        lastUsed: now(),
        place,
        purpose,
        keyVersion: GUEK,
        first,
        turn: new CriticalTurn(),
        isDedicated,
        highestUnicast: undefined,
        association,
        evidence,
        floor: isDedicated ? -1 : 0,
        window: undefined,
        refused: 0,
        underWay: 0,
        waiting: [],
      });
      return { session, clientSap, serverSap: facts.serverSap, apdu: effect.apdu };
    } catch (error) {
      association.dispose();
      throw asCallRefusal(error);
    }
  }

  /** What a meter that has proven its signing key once proves itself by from then on. */
  async #signing(file: MeterFile, title: SystemTitle): Promise<SigningParties | undefined> {
    const journal = signingJournal(file);
    if (journal === undefined || meterFacts(file.meter.profile).signingClientSap === undefined) return undefined;
    const { suite } = journal;
    const standing = await this.#dependencies.identities.standing(journal.believed);
    if (standing.digitalSignature.length === 0)
      throw new CallRefusal("identity-revoked", `the certificates of meter ${file.meter.systemTitle} were revoked`);
    const pairs = await this.#dependencies.clientKeys.pairs(file.meter, suite);
    return { suite, title, pairs, believed: believedKeys({ believed: standing }) };
  }

  async advance({ session, received }: CustodianRequest<"advanceSession">, caller: Caller): Promise<SessionAdvance> {
    const open = this.#find(session, caller);
    open.evidence.received(received);
    const effect = await open.association.take({ kind: "received", apdu: received });
    switch (effect?.kind) {
      case "send":
        open.evidence.sent(effect.apdu);
        return { kind: "send", apdu: effect.apdu };
      case "established": {
        if (open.isDedicated) open.highestUnicast = Math.max(0, ...effect.serverCounters);
        else
          for (const counter of effect.serverCounters) {
            open.window = accepted(open.window, counter) ?? open.window;
            open.floor = Math.max(open.floor, counter);
          }
        await this.#critical.established(open.place, open.first, caller);
        const { conformance, maxReceivePduSize } = effect.negotiated;
        return { kind: "established", conformance: [...conformance], maxReceivePduSize: maxReceivePduSize ?? 0 };
      }
      case "failed":
        await this.#end(session, open, "failed", `${effect.error.code}: ${effect.error.message}`);
        return failureOf(effect.error);
      default:
        throw new CallRefusal("session-not-established", "nothing is awaited from the meter in this session");
    }
  }

  async seal({ session, items }: CustodianRequest<"seal">, caller: Caller): Promise<SealResult[]> {
    const open = this.#find(session, caller);
    if (!open.association.established) throw new CallRefusal("session-not-established", "nothing can be sealed yet");
    return await during(open, this.#seal(open, items, caller));
  }

  async #seal(open: Session, items: CustodianRequest<"seal">["items"], caller: Caller): Promise<SealResult[]> {
    const [only, ...more] = items;
    if (only?.token !== undefined && more.length === 0) {
      const verdict = classify(only.apdu);
      if (verdict.kind === "needs-token" && purposeRefusal(verdict, open) === undefined)
        return [await this.#sealCritical(open, { apdu: only.apdu, token: only.token }, verdict, caller)];
    }
    const judged = items.map(({ apdu, token }) => refusalOf(classify(apdu), token !== undefined, open));
    const passing = judged.filter((refusal) => refusal === undefined).length;
    const spent = passing === 0 ? undefined : this.#budget.spend(caller, open.place, passing);
    const beyond = spent && (await spent);
    const refusals = judged.map((refusal) => refusal ?? beyond);
    const refused = judged.filter((refusal) => refusal !== undefined);
    const counters = passing === 0 || beyond !== undefined ? 0 : this.#counters(open, passing);
    const recorded = refused.length === 0 ? undefined : this.#record(open, caller, refused);
    // Both join one commit, where there is anything to be committed.
    const [first] =
      typeof counters === "number" && recorded === undefined ? [counters] : await Promise.all([counters, recorded]);
    open.refused += beyond === undefined ? refused.length : items.length;
    if (beyond === undefined) open.turn.sealed(passing);
    const toSeal = items.filter((_, at) => refusals[at] === undefined);
    const sealing = open.association.seal(toSeal.map(({ apdu }, at) => ({ apdu, counter: first + at })));
    const sealed = sealing instanceof Promise ? await sealing : sealing;
    for (const octets of sealed) open.evidence.sent(octets);
    let next = 0;
    return refusals.map((refusal): SealResult => {
      if (refusal !== undefined) return { kind: "refused", ...refusal };
      next += 1;
      return { kind: "sealed", apdu: sealed[next - 1] as Uint8Array };
    });
  }

  /** Seals what people have approved: judged, counted and written to the ledger before its octets are made. */
  async #sealCritical(
    open: Session,
    { apdu, token }: { readonly apdu: Uint8Array; readonly token: Uint8Array },
    verdict: Extract<Verdict, { kind: "needs-token" }>,
    caller: Caller,
  ): Promise<SealResult> {
    const { place, keyVersion, turn } = open;
    const refuse = async ({ detail, ...refusal }: CriticalRefusal): Promise<SealResult> => {
      open.refused += 1;
      await this.#record(open, caller, [{ ...refusal, ...(detail !== undefined && { detail }) }]);
      return { kind: "refused", ...refusal };
    };
    if (!turn.begin()) return refuse(outOfTurn(verdict));
    let sealed: SealedCritical | undefined;
    try {
      const permit = await this.#critical.judge(place, verdict, token);
      if ("code" in permit) return await refuse(permit);
      const beyond = await this.#budget.spend(caller, place, 1);
      if (beyond !== undefined) {
        open.refused += 1;
        return { kind: "refused", ...beyond };
      }
      const counter = await this.#counters(open, 1);
      const isSigned = open.association.signs;
      const refusal = await this.#critical.record(place, { keyVersion, counter, isSigned }, permit, caller);
      if (refusal !== undefined) return await refuse(refusal);
      // Somebody may have thrown the switch while it was written down.
      if (this.#critical.isFrozen(verdict))
        return await refuse({
          code: "frozen",
          effect: verdict.gravest.effect,
          message: "everything critical is frozen",
        });
      const transactionId = isSigned ? transactionIdOf(counter) : undefined;
      const octets =
        transactionId === undefined
          ? ((await open.association.seal([{ apdu, counter }])) as [Uint8Array])[0]
          : await open.association.sealSigned({ apdu, counter }, transactionId);
      sealed = { nonce: permit.nonce, counter, transactionId };
      open.evidence.sent(octets);
      return { kind: "sealed", apdu: octets };
    } finally {
      turn.decided(sealed);
    }
  }

  async openApdus({ session, apdus }: CustodianRequest<"open">, caller: Caller): Promise<OpenResult[]> {
    const open = this.#find(session, caller);
    if (!open.association.established) throw new CallRefusal("session-not-established", "nothing can be opened yet");
    // What was signed is answered signed, or not at all.
    const awaited = open.turn.transactionId;
    const responses = await during(open, Promise.resolve(open.association.open(apdus, awaited !== undefined)));
    const answers: NonNullable<ReturnType<CriticalTurn["heard"]>>[] = [];
    const opened = responses.map((response, at): OpenResult => {
      open.evidence.received(apdus[at] as Uint8Array);
      if (response instanceof DlmsError) return { kind: "refused", code: "not-authentic" };
      const { plain, counter, transactionId } = response;
      // A refusal of what could not be deciphered: it comes in clear, and is never data.
      if (counter === undefined && transactionId === undefined)
        return { kind: "opened", apdu: plain, authenticated: false, encrypted: false, counter: 0 };
      if (counter === undefined) {
        const isAwaited = awaited !== undefined && equalBytes(transactionId ?? NO_BYTES, awaited);
        const answer = isAwaited && open.turn.transactionId === awaited ? open.turn.heard(plain) : undefined;
        if (answer === undefined) return { kind: "refused", code: "replayed" };
        answers.push(answer);
        return { kind: "opened", apdu: plain, authenticated: true, encrypted: true, counter: answer.counter };
      }
      const window = counter > open.floor ? accepted(open.window, counter) : undefined;
      if (window === undefined) return { kind: "refused", code: "replayed" };
      open.window = window;
      const answer = open.turn.heard(plain);
      if (answer !== undefined) answers.push(answer);
      return { kind: "opened", apdu: plain, authenticated: true, encrypted: true, counter };
    });
    for (const { nonce, counter, outcome } of answers)
      await during(open, this.#critical.answered(open.place, nonce, counter, outcome, caller));
    return opened;
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

  async close({ session, outcome }: CustodianRequest<"closeSession">, caller: Caller): Promise<void> {
    const open = this.#sessions.find(session, caller, this.#dependencies.now());
    if (open === undefined) throw sessionUnknown();
    await this.#end(session, open, outcome);
  }

  /** Closes what nobody has used for long. */
  async sweep(): Promise<void> {
    this.#budget.sweep();
    const idle = this.#sessions.idleSince(this.#dependencies.now() - IDLE_MILLISECONDS);
    for (const [handle, session] of idle) await this.#end(handle, session, "abandoned");
  }

  /** Ends the sessions of a meter that leaves: its keys are used no more. */
  async endOf(title: string): Promise<void> {
    const open = [...this.#sessions.entries()].filter(([, { place }]) => place.systemTitle === title);
    for (const [handle, session] of open) await this.#end(handle, session, "abandoned", "the meter leaves");
  }

  /** Ends the sessions of a caller that has gone: nobody else can use them. */
  async endOfCaller(name: string): Promise<void> {
    const open = [...this.#sessions.entries()].filter(([, { caller }]) => caller.name === name);
    for (const [handle, session] of open) await this.#end(handle, session, "abandoned", "who opened it has gone");
  }

  /** Closes everything: the custodian is going. */
  async closeAll(): Promise<void> {
    await Promise.all(
      [...this.#sessions.entries()].map(([handle, session]) => this.#end(handle, session, "abandoned")),
    );
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
    const { sendCounters, lentMeters, now } = this.#dependencies;
    const { place, keyVersion, purpose } = session;
    try {
      if (purpose === "read") lentMeters.requireNotLent(place.systemTitle, now());
    } catch (error) {
      // What else was asked in the same call is still written down.
      return Promise.reject(error);
    }
    return (
      sendCounters.takeAtHand(place, keyVersion, count) ?? sendCounters.take(place, keyVersion, count).catch(asRefused)
    );
  }

  /** One entry for each request that was refused, before the caller hears of it; of very many a sum. */
  async #record(session: Session, caller: Caller, refused: readonly CriticalRefusal[]): Promise<void> {
    const { bursts, now } = this.#dependencies;
    const entries = refused.map(({ code, effect, message, detail }) =>
      entry("seal-refused", caller, session.place, now(), { code, effect, message, ...(detail && { detail }) }),
    );
    await bursts.record(entries);
  }

  async #end(handle: string, session: Session, outcome: SessionOutcome, reason?: string): Promise<void> {
    const { committer, receiveWindows, vault, now } = this.#dependencies;
    this.#sessions.remove(handle);
    // Nobody finds it any more; what was begun before is sealed, counted and hashed before the entry says what was.
    if (session.underWay > 0) await new Promise<void>((resolve) => session.waiting.push(resolve));
    session.association.dispose();
    const { place, keyVersion, window, isDedicated, refused, evidence, caller } = session;
    // A push must not be able to use a counter that a response has used.
    const highest = isDedicated ? session.highestUnicast : window?.highest;
    if (highest !== undefined) receiveWindows.accept(place, keyVersion, highest);
    const stored = highest === undefined ? undefined : receiveWindows.record(place, keyVersion);
    const body = { outcome, ...(reason === undefined ? {} : { reason }), refused, ...evidence.summary() };
    await committer.submit({
      writes: stored === undefined ? [] : [{ kind: "put-windows", windows: await withWindowMacs(vault, [stored]) }],
      entries: [entry("session-closed", caller, place, now(), body)],
      canWait: this.#areMany,
    });
  }
}

/** A call that holds back the end of its session. */
async function during<T>(session: Session, call: Promise<T>): Promise<T> {
  session.underWay += 1;
  try {
    return await call;
  } finally {
    session.underWay -= 1;
    if (session.underWay === 0) for (const told of session.waiting.splice(0)) told();
  }
}

function refusalOf(
  verdict: Verdict,
  hasToken: boolean,
  session: Pick<Session, "caller" | "purpose" | "turn">,
): SealRefusal | undefined {
  switch (verdict.kind) {
    case "allowed":
      return session.turn.isFree ? undefined : outOfTurn(verdict);
    case "refused":
      return { code: verdict.code, effect: "none", message: verdict.message };
    case "needs-token": {
      const { effect, summary } = verdict.gravest;
      return (
        purposeRefusal(verdict, session) ??
        (hasToken
          ? outOfTurn(verdict)
          : {
              code: "command-token-missing",
              effect,
              message: `${summary}: that needs a command token, and none came with it`,
            })
      );
    }
    default:
      return verdict satisfies never;
  }
}

/** Another vendor's head-end says what it opens a session for, and is held to it. */
function purposeRefusal(
  { gravest: { effect, summary } }: Extract<Verdict, { kind: "needs-token" }>,
  { caller, purpose }: Pick<Session, "caller" | "purpose">,
): SealRefusal | undefined {
  return caller.rights !== undefined && purpose === "read"
    ? { code: "purpose-exceeded", effect, message: `${summary}: the session was opened to read` }
    : undefined;
}

function outOfTurn(verdict: Exclude<Verdict, { kind: "refused" }>): SealRefusal {
  const effect = verdict.kind === "needs-token" ? verdict.gravest.effect : "read";
  const message =
    "a critical request is sealed alone, when all earlier ones of the session were answered, and nothing is until it was";
  return { code: "request-out-of-turn", effect, message };
}

function sessionUnknown(): CallRefusal {
  return new CallRefusal("session-unknown", "no such session is open for this principal");
}

function failureOf(error: DlmsError): SessionAdvance {
  if (error.code === "association-rejected" || error.code === "exception-response" || error.code === "service-error")
    return { kind: "failed", code: "association-rejected", message: error.message };
  if (error.code === "unexpected-response")
    return { kind: "failed", code: "association-malformed", message: error.message };
  return { kind: "failed", code: "not-authentic", message: "the meter did not prove its keys" };
}

function placeOf({ meter }: MeterFile): SetupPlace {
  const { utility, island, systemTitle } = meter;
  return { utility, island, systemTitle, setup: 0 };
}

function entry(kind: string, caller: Caller, place: SetupPlace, at: number, body: unknown): LedgerDraft {
  const { utility, island, systemTitle } = place;
  return { at, kind, principal: caller.name, utility, island, meter: systemTitle, body };
}

function asRefused(error: unknown): never {
  throw asCallRefusal(error);
}

function asCallRefusal(error: unknown): unknown {
  if (!(error instanceof CustodyError)) return error;
  if (error.code === "counter-line-exhausted")
    return new CallRefusal("counter-exhausted", error.message, { cause: error });
  if (error.code === "vault-key-unknown") return new CallRefusal("keys-missing", error.message, { cause: error });
  return error;
}
