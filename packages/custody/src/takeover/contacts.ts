import type { ContactAdvance, CustodianRequest, NextContact, TakeoverState } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import type { SecretKey } from "@meterkeep/dlms-node";
import type { LedgerDraft } from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { BUSY_MILLISECONDS } from "../calls/meter-turns.ts";
import type { ContactEnds } from "../calls/open-contacts.ts";
import { requireRight } from "../calls/required-right.ts";
import { TurnedContacts } from "../calls/turned-contacts.ts";
import { Association } from "../conversation/association.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { Line } from "../conversation/line.ts";
import type { KeyEscrow } from "../escrow/key-escrow.ts";
import type { Leases } from "../lease/leases.ts";
import type { LentMeters } from "../lease/lent-meters.ts";
import { counterObject, keyClientOf, meterFacts } from "../protocol/meter-facts.ts";
import { unsealKeys, workingKeys } from "../protocol/meter-keys.ts";
import { type AttributeName, getRequest } from "../protocol/requests.ts";
import {
  FIRST_SETUP,
  inSetup,
  type MeterFile,
  PURPOSE,
  type SetupPlace,
  type TakeoverRecord,
} from "../store/records.ts";
import type { Agreeing } from "./agreeing.ts";
import { type Pace, spacingLeft } from "./candidates.ts";
import {
  commitStep,
  contactEntry,
  nextTakeover,
  openedRecord,
  rotationMarks,
  type StepDependencies,
} from "./commit-step.ts";
import { exchangeEntries, kindOf, openingEntries } from "./contact-entries.ts";
import { rulesOf } from "./contact-rules.ts";
import { beginExchange, countersOf, type Exchange, isExchange } from "./exchange.ts";
import { isFinal, type Journal, rotationJournal, type TakeoverEffect, type TakeoverEvent } from "./journal.ts";
import { type Happened, LiveContact } from "./live-contact.ts";
import { step } from "./machine.ts";
import { takeoverStateOf } from "./meter-state.ts";
import { openRotation } from "./plan.ts";
import { secretClientOf } from "./secret-client.ts";
import { keptKeys, prepareTransfer } from "./transfer.ts";
import { compromisedInTurn, setupsInTurn } from "./turns.ts";
import { canBeTakenOver, isInService, journalOf, takeoverOutcome } from "./view.ts";

/** What takeovers need beyond any conversation. */
export interface ContactDependencies extends ConversationDependencies, Pick<StepDependencies, "keyCache"> {
  readonly pace: Pace;
  /** Agrees on masters with a meter that is known by its signature; undefined for one that is not. */
  readonly agreeing: (file: MeterFile) => Promise<Agreeing | undefined>;
  /** Where every new key is kept a second time before it is sent. */
  readonly escrow: Pick<KeyEscrow, "append">;
  /** Whoever wants to know when a meter that was lent has proven itself. */
  readonly leases: Pick<Leases, "answered">;
  readonly lentMeters: Pick<LentMeters, "leftOf">;
  /** Is told how long a meter is to be left alone, where something is wanted of it later. */
  readonly rest: (systemTitle: string, milliseconds: number) => void;
}

type Effect<K extends TakeoverEffect["kind"]> = Extract<TakeoverEffect, { kind: K }>;
type Keep = (live: LiveContact) => string;

/**
 * Runs takeovers and rotations, of one security setup of a meter after the other: the machine decides, this does. Before any octet
 * leaves, the journal that the machine gave, the keys it asked for and the ledger's entries are durable, in one commit.
 *
 * A contact lives in this process alone. Whatever ends it, the next one starts from the journal.
 */
export class Contacts {
  readonly #dependencies: ContactDependencies;
  readonly #contacts: TurnedContacts<LiveContact>;

  constructor(dependencies: ContactDependencies) {
    this.#dependencies = dependencies;
    this.#contacts = new TurnedContacts(dependencies);
  }

  next({ meter }: CustodianRequest<"nextContact">, caller: Caller): Promise<NextContact> {
    const title = systemTitleText(meter);
    return this.#contacts.begin(title, caller, (keep) => this.#next(title, caller, keep));
  }

  async advance(request: CustodianRequest<"advanceContact">, caller: Caller): Promise<ContactAdvance> {
    const advance = await this.#contacts.advance(request, caller, {
      received: (live, apdu) => this.#received(live, apdu),
      lost: (live, reason) => this.#happened(live, live.lost(reason)),
    });
    if (advance !== undefined) return advance;
    throw new CallRefusal("contact-unknown", "no such contact is open for this principal: ask for the next one");
  }

  /** @see TurnedContacts.sweep */
  sweep(): void {
    this.#contacts.sweep();
  }

  get ends(): ContactEnds {
    return this.#contacts.ends;
  }

  async #next(title: string, caller: Caller, keep: Keep): Promise<NextContact> {
    const { files, lentMeters, now } = this.#dependencies;
    const file = await files.load(title);
    if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
    await requireRight(caller, file.meter, "configure", this.#dependencies);
    const turns = lentMeters.leftOf(title, now()) > 0 ? compromisedInTurn(file) : setupsInTurn(file);
    if (!canBeTakenOver(file.meter) || !isInService(file.meter) || turns.length === 0)
      return { kind: "nothing", state: takeoverStateOf(file) };
    const busy = (): NextContact => ({
      kind: "wait",
      milliseconds: BUSY_MILLISECONDS,
      state: takeoverStateOf(file),
    });
    return this.#contacts.taking(title, caller, busy, () => this.#inTurn(file, turns, caller, keep));
  }

  /** What comes next of the setups of which something is wanted: one that has to wait holds up no other, unless its meter may be locked. */
  async #inTurn(file: MeterFile, turns: readonly number[], caller: Caller, keep: Keep): Promise<NextContact> {
    let next: NextContact = { kind: "nothing", state: takeoverStateOf(file) };
    const waiting: { readonly setup: number; readonly milliseconds: number }[] = [];
    for (const setup of turns) {
      next = await this.#goOn(file, setup, caller, keep);
      if (next.kind === "connect") return next;
      if (next.kind === "nothing") continue;
      waiting.push({ setup, milliseconds: next.milliseconds });
      const locked = setup === turns.at(-1) ? 0 : this.#lockedFor(file, setup);
      if (locked === 0) continue;
      waiting.push({ setup, milliseconds: locked });
      break;
    }
    if (waiting.length === 0) return next;
    const { state } = next;
    const milliseconds = Math.min(...waiting.map((one) => one.milliseconds));
    const isTakeover = waiting.every(({ setup }) => openRotation(file, setup) === undefined);
    if (state.phase !== "done" || !isTakeover) return { kind: "wait", milliseconds, state };
    // The meter is in service meanwhile, and whatever else is wanted of it goes on.
    this.#dependencies.rest(file.meter.systemTitle, milliseconds);
    return { kind: "nothing", state };
  }

  /** How long the others wait with a setup: with the first, where it has just refused, since a meter locks up as a whole. */
  #lockedFor(file: MeterFile, setup: number): number {
    const { now, pace } = this.#dependencies;
    const { journal } = journalOf(file, setup);
    if (setup !== FIRST_SETUP) return 0;
    // A contact that nobody has closed is another refusal, for all that is known.
    return journal.contact === undefined ? spacingLeft(journal, now(), pace) : pace.anyKeysMilliseconds;
  }

  /** What comes next of a setup of which something is wanted. */
  async #goOn(file: MeterFile, setup: number, caller: Caller, keep: Keep): Promise<NextContact> {
    const { now, pace } = this.#dependencies;
    const { journal, record } = journalOf(file, setup);
    const carrier = caller.role === "depot" ? "depot" : "head-end";
    const isOver = isFinal(journal.verdict) && record?.closedAt !== undefined;
    const going = isOver ? this.#rotation(file, journal, record) : { journal, record };
    const mayAgree = setup === FIRST_SETUP && going.journal.cause !== "takeover";
    const agreeing = mayAgree ? await this.#dependencies.agreeing(file) : undefined;
    const rules = rulesOf({ ...file, agreement: agreeing !== undefined }, setup, pace);
    const [asked, ...effects] = step(going.journal, { kind: "contact-asked", at: now(), carrier }, rules);
    const exchange = effects.find(isExchange);
    if (exchange === undefined) return this.#notNow(file, setup, asked, going.record, effects);
    return this.#begin(file, setup, asked, going.record, effects, exchange, caller, agreeing, keep);
  }

  /** The journal of a rotation that is about to begin. */
  #rotation(file: MeterFile, before: Journal, { takeover, setup }: TakeoverRecord) {
    const { utility, island, systemTitle } = file.meter;
    const place = { utility, island, systemTitle, setup };
    const plan = openRotation(file, setup);
    if (plan === undefined) throw new CallRefusal("custodian-failed", "no rotation is planned");
    const outcome = takeoverOutcome(file.meter, before);
    return {
      journal: rotationJournal(before, plan, outcome),
      record: openedRecord(place, this.#dependencies.now(), takeover + 1),
    };
  }

  /** Waits and ends are written down too: a contact that was lost may have been taken into account. */
  async #notNow(
    file: MeterFile,
    setup: number,
    journal: Journal,
    record: TakeoverRecord | undefined,
    effects: readonly TakeoverEffect[],
  ): Promise<NextContact> {
    const isNew = record?.revision === 0;
    const isOver = isFinal(journal.verdict) && record?.closedAt === undefined;
    if (record !== undefined && !isNew && (isOver || JSON.stringify(journal) !== record.journal)) {
      const { committer, now } = this.#dependencies;
      const { takeover, mark } = await nextTakeover(this.#dependencies, record, journal);
      const plan = journal.cause === "takeover" ? undefined : openRotation(file, setup);
      const marks = rotationMarks(plan, takeover, journal, now());
      await committer.submit({ writes: [{ kind: "put-takeover", takeover }, ...marks], entries: [mark] });
    }
    const state = takeoverStateOf(file, { setup, journal, isBegun: record !== undefined });
    const wait = effects.find((effect): effect is Effect<"wait"> => effect.kind === "wait");
    return wait === undefined ? { kind: "nothing", state } : { kind: "wait", milliseconds: wait.milliseconds, state };
  }

  async #begin(
    file: MeterFile,
    setup: number,
    journal: Journal,
    record: TakeoverRecord | undefined,
    effects: readonly TakeoverEffect[],
    exchange: Exchange,
    caller: Caller,
    agreeing: Agreeing | undefined,
    keep: Keep,
  ): Promise<NextContact> {
    const { now } = this.#dependencies;
    const { utility, island, systemTitle } = file.meter;
    const place: SetupPlace = { utility, island, systemTitle, setup };
    const live = new LiveContact({
      caller,
      file,
      place,
      association: await this.#association(file, setup, journal, exchange),
      // What has no unicast key takes no counters, and its answers have none.
      line: new Line(this.#dependencies, place, exchange.kind === "associate" ? exchange.GUEK : 0, file),
      journal,
      record: record ?? openedRecord(place, now()),
      rotation: journal.cause === "takeover" ? undefined : openRotation(file, setup),
      agreeing,
    });
    try {
      const apdu = await this.#perform(live, journal, effects, exchange, openingEntries(live, exchange, now()));
      const contact = keep(live);
      const { serverSap } = meterFacts(file.meter.profile);
      return { kind: "connect", contact, clientSap: clientOf(live, exchange), serverSap, step: exchange.step, apdu };
    } catch (error) {
      live[Symbol.dispose]();
      throw error;
    }
  }

  async #association(file: MeterFile, setup: number, journal: Journal, exchange: Exchange): Promise<Association> {
    const { vault, clientTitle, random } = this.#dependencies;
    if (exchange.kind === "associate") return this.#secured(file, setup, exchange);
    if (exchange.kind !== "associate-secret") return Association.open();
    const { key } = exchange;
    const [secret] = (await unsealKeys(vault, file.keys, [key])) as [SecretKey];
    const client = secretClientOf({ ...file, journal }, key);
    return Association.withSecret(file.meter, client, secret, clientTitle(file.meter.utility), random);
  }

  async #secured(file: MeterFile, setup: number, { GUEK, GAK }: Effect<"associate">): Promise<Association> {
    const { vault, clientTitle, random } = this.#dependencies;
    const [unicast, authentication] = await unsealKeys(vault, file.keys, [
      inSetup({ purpose: PURPOSE.GUEK, version: GUEK }, setup),
      inSetup({ purpose: PURPOSE.GAK, version: GAK }, setup),
    ]);
    const keys = workingKeys(unicast as NonNullable<typeof unicast>, authentication as NonNullable<typeof unicast>);
    return Association.secured(
      file.meter,
      meterFacts(file.meter.profile),
      keys,
      clientTitle(file.meter.utility),
      random,
    );
  }

  async #received(live: LiveContact, apdu: Uint8Array): Promise<ContactAdvance> {
    const outcome = live.receive(apdu);
    switch (outcome.kind) {
      case "send":
        live.evidence.sent(outcome.apdu);
        return { kind: "send", step: stepOf(live.journal), apdu: outcome.apdu };
      case "ask":
        return { kind: "send", step: stepOf(live.journal), apdu: await this.#ask(live, outcome.request) };
      case "agreed":
        return this.#agreed(live, outcome.master);
      case "event":
        // The public client's association is part of reading the counter.
        if (live.awaited.kind === "counter" && outcome.event.kind === "associated") {
          const request = getRequest(counterObject(live.place.setup));
          live.evidence.sent(request);
          return { kind: "send", step: stepOf(live.journal), apdu: request };
        }
        if (outcome.event.kind === "associated") await this.#dependencies.leases.answered(live.line, live.caller);
        return this.#happened(live, outcome.event);
      default:
        return outcome satisfies never;
    }
  }

  /** Keeps a master that was agreed on, durable and in escrow, before the machine hears of it. */
  async #agreed(live: LiveContact, master: SecretKey): Promise<ContactAdvance> {
    const { vault, escrow, now } = this.#dependencies;
    const { version } = live.journal.agreement as NonNullable<Journal["agreement"]>;
    using secret = master;
    const prepared = await keptKeys(vault, live.place, [{ purpose: PURPOSE.KEK, version }], [secret], now());
    const entries = [contactEntry(live, now(), "master-agreed", { version })];
    await commitStep(this.#dependencies, live, { journal: live.journal, effects: [], entries, prepared });
    await escrow.append(prepared.records);
    return this.#happened(live, { kind: "master-agreed", version });
  }

  async #ask(live: LiveContact, request: AttributeName): Promise<Uint8Array> {
    const counter = await live.line.take(1);
    const sealed = live.seal(getRequest(request), counter);
    live.evidence.sent(sealed);
    return sealed;
  }

  /** Lets the machine decide and does what it wants. */
  async #happened(live: LiveContact, event: Happened): Promise<ContactAdvance> {
    const at = this.#dependencies.now();
    const rules = rulesOf(live, live.place.setup, this.#dependencies.pace);
    const [journal, ...effects] = step(live.journal, { ...event, at } as TakeoverEvent, rules);
    const prepare = effects.find((effect): effect is Effect<"prepare"> => effect.kind === "prepare");
    if (prepare !== undefined) {
      await this.#prepare(live, journal, effects, prepare);
      return this.#happened(live, { kind: "prepared" });
    }
    const exchange = effects.find(isExchange);
    if (exchange !== undefined) {
      const apdu = await this.#perform(live, journal, effects, exchange, []);
      return { kind: "send", step: exchange.step, apdu };
    }
    const close = effects.find((effect): effect is Effect<"close"> => effect.kind === "close");
    if (close === undefined) throw new CallRefusal("custodian-failed", "a change of keys stands still");
    const body = { step: close.step, next: close.next, ...live.evidence.summary() };
    const entries = [contactEntry(live, at, `${kindOf(journal)}-contact-closed`, body)];
    await commitStep(this.#dependencies, live, { journal, effects, entries, prepared: undefined });
    this.#contacts.over(live);
    // While one of its setups rests the meter is there for the others.
    const isWantedBeside = setupsInTurn(live).some((setup) => setup !== live.place.setup);
    this.#dependencies.rest(live.meter.systemTitle, isWantedBeside ? 0 : close.milliseconds);
    const state = takeoverStateOf(live);
    return { kind: "close", ...afterwards(live, close, state), state, step: close.step };
  }

  /** Makes keys, durable and in escrow: only then does the machine hear that they may be sent. */
  async #prepare(
    live: LiveContact,
    journal: Journal,
    effects: readonly TakeoverEffect[],
    { keys, step: name }: Effect<"prepare">,
  ): Promise<void> {
    const { vault, escrow, now } = this.#dependencies;
    const prepared = await prepareTransfer(vault, { meter: live.meter, place: live.place, journal }, keys, now());
    const entries = [contactEntry(live, now(), "keys-prepared", { step: name, keys })];
    await commitStep(this.#dependencies, live, { journal, effects, entries, prepared });
    await escrow.append(prepared.records);
    live.prepared = prepared;
  }

  /** Commits what the machine decided, then builds the octets that it makes true. */
  async #perform(
    live: LiveContact,
    journal: Journal,
    effects: readonly TakeoverEffect[],
    exchange: Exchange,
    opening: readonly LedgerDraft[],
  ): Promise<Uint8Array> {
    const { vault, now } = this.#dependencies;
    const isTransfer = exchange.kind === "transfer";
    const prepared = isTransfer ? live.prepared : undefined;
    live.prepared = undefined;
    const counters = countersOf(exchange);
    const sealed = exchangeEntries(live, exchange, journal, now());
    // The reservation, where one is needed, joins the same commit.
    const [first] = await Promise.all([
      counters === 0 ? 0 : live.line.take(counters),
      commitStep(this.#dependencies, live, { journal, effects, entries: [...opening, ...sealed], prepared: undefined }),
    ]);
    const apdu = await beginExchange(vault, live, exchange, first, prepared);
    live.evidence.sent(apdu);
    return apdu;
  }
}

/** Who speaks in a contact: a client with a secret, the public client, or the one that changes the setup's keys. */
function clientOf({ meter, place }: LiveContact, exchange: Exchange): number {
  const facts = meterFacts(meter.profile);
  if (exchange.kind === "associate-secret") return exchange.key.client;
  if (exchange.kind !== "associate") return facts.publicClientSap;
  const client = keyClientOf(facts, place.setup);
  if (client === undefined) throw new CallRefusal("custodian-failed", `no client of setup ${place.setup} is known`);
  return client;
}

/** What comes after a contact: the next setup at once; where the takeover of one beside the first has to rest, nobody waits for it. */
function afterwards(
  live: LiveContact,
  { next, milliseconds }: Effect<"close">,
  { phase }: TakeoverState,
): Pick<Effect<"close">, "next" | "milliseconds"> {
  if (next === "done" && setupsInTurn(live).length > 0) return { next: "reconnect", milliseconds: 0 };
  const isOfFurther = live.place.setup !== FIRST_SETUP && live.rotation === undefined;
  const isPutOff = next === "wait" && isOfFurther && phase === "done";
  return { next: isPutOff ? "done" : next, milliseconds };
}

function stepOf({ contact }: Journal) {
  return contact?.step ?? "release";
}
