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
import { CARRIED_KINDS } from "../exposure/carried.ts";
import type { Leases } from "../lease/leases.ts";
import { counterObject, meterFacts } from "../protocol/meter-facts.ts";
import { unsealKeys, workingKeys } from "../protocol/meter-keys.ts";
import { type AttributeName, getRequest } from "../protocol/requests.ts";
import { isNamed, type MeterFile, PURPOSE, SECRET, type SetupPlace, type TakeoverRecord } from "../store/records.ts";
import type { Agreeing } from "./agreeing.ts";
import type { Pace } from "./candidates.ts";
import { newestDefaults } from "./child-requests.ts";
import {
  commitStep,
  contactEntry,
  nextTakeover,
  openedRecord,
  rotationMarks,
  type StepDependencies,
} from "./commit-step.ts";
import { beginExchange, countersOf, type Exchange, isExchange } from "./exchange.ts";
import { isFinal, type Journal, rotationJournal, type TakeoverEffect, type TakeoverEvent } from "./journal.ts";
import { type Happened, LiveContact } from "./live-contact.ts";
import { step } from "./machine.ts";
import { openRotation } from "./plan.ts";
import { secretClientOf } from "./secret-client.ts";
import { keptKeys, prepareTransfer } from "./transfer.ts";
import { canBeTakenOver, isInService, journalOf, takeoverOutcome, takeoverState } from "./view.ts";

/** What takeovers need beyond any conversation. */
export interface ContactDependencies extends ConversationDependencies, Pick<StepDependencies, "keyCache"> {
  readonly pace: Pace;
  /** Agrees on masters with a meter that is known by its signature; undefined for one that is not. */
  readonly agreeing: (file: MeterFile) => Promise<Agreeing | undefined>;
  /** Where every new key is kept a second time before it is sent. */
  readonly escrow: Pick<KeyEscrow, "append">;
  /** Whoever wants to know when a meter that was lent has proven itself. */
  readonly leases: Pick<Leases, "answered">;
}

type Effect<K extends TakeoverEffect["kind"]> = Extract<TakeoverEffect, { kind: K }>;
type Keep = (live: LiveContact) => string;

/**
 * Runs takeovers and rotations: the machine decides, this does. Before any octet leaves, the journal that the machine gave, the keys
 * it asked for and the ledger's entries are durable, in one commit.
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
    const { files } = this.#dependencies;
    const file = await files.load(title);
    if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
    await requireRight(caller, file.meter, "configure", this.#dependencies);
    const { journal, record } = journalOf(file);
    const state = () => takeoverState(file, journal, record !== undefined);
    const isOver = isFinal(journal.verdict) && record?.closedAt !== undefined;
    if (!canBeTakenOver(file.meter) || !isInService(file.meter) || (isOver && openRotation(file) === undefined))
      return { kind: "nothing", state: state() };
    const busy = (): NextContact => ({ kind: "wait", milliseconds: BUSY_MILLISECONDS, state: state() });
    return this.#contacts.taking(title, caller, busy, () => this.#goOn(file, isOver, caller, keep));
  }

  /** What comes next of a meter of which something is wanted. */
  async #goOn(file: MeterFile, isOver: boolean, caller: Caller, keep: Keep): Promise<NextContact> {
    const { now } = this.#dependencies;
    const { journal, record } = journalOf(file);
    const carrier = caller.role === "depot" ? "depot" : "head-end";
    const going = isOver ? this.#rotation(file, journal, record as TakeoverRecord) : { journal, record };
    const agreeing = going.journal.cause === "takeover" ? undefined : await this.#dependencies.agreeing(file);
    const rules = { ...file, agreement: agreeing !== undefined };
    const [asked, ...effects] = this.#step(rules, going.journal, { kind: "contact-asked", at: now(), carrier });
    const exchange = effects.find(isExchange);
    if (exchange === undefined) return this.#notNow(file, asked, going.record, effects);
    return this.#begin(file, asked, going.record, effects, exchange, caller, agreeing, keep);
  }

  /** The journal of a rotation that is about to begin. */
  #rotation(file: MeterFile, before: Journal, { takeover }: TakeoverRecord) {
    const { utility, island, systemTitle } = file.meter;
    const place = { utility, island, systemTitle, setup: 0 };
    const plan = openRotation(file);
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
    journal: Journal,
    record: TakeoverRecord | undefined,
    effects: readonly TakeoverEffect[],
  ): Promise<NextContact> {
    const isNew = record?.revision === 0;
    const isOver = isFinal(journal.verdict) && record?.closedAt === undefined;
    if (record !== undefined && !isNew && (isOver || JSON.stringify(journal) !== record.journal)) {
      const { committer, now } = this.#dependencies;
      const { takeover, mark } = await nextTakeover(this.#dependencies, record, journal);
      const plan = journal.cause === "takeover" ? undefined : openRotation(file);
      const marks = rotationMarks(plan, takeover, journal, now());
      await committer.submit({ writes: [{ kind: "put-takeover", takeover }, ...marks], entries: [mark] });
    }
    const state = takeoverState(file, journal, record !== undefined);
    const wait = effects.find((effect): effect is Effect<"wait"> => effect.kind === "wait");
    return wait === undefined ? { kind: "nothing", state } : { kind: "wait", milliseconds: wait.milliseconds, state };
  }

  async #begin(
    file: MeterFile,
    journal: Journal,
    record: TakeoverRecord | undefined,
    effects: readonly TakeoverEffect[],
    exchange: Exchange,
    caller: Caller,
    agreeing: Agreeing | undefined,
    keep: Keep,
  ): Promise<NextContact> {
    const { now } = this.#dependencies;
    const facts = meterFacts(file.meter.profile);
    const { utility, island, systemTitle } = file.meter;
    const place: SetupPlace = { utility, island, systemTitle, setup: 0 };
    const associate = exchange.kind === "associate" ? exchange : undefined;
    const secret = exchange.kind === "associate-secret" ? exchange : undefined;
    const live = new LiveContact({
      caller,
      meter: file.meter,
      place,
      association: await this.#association(file, journal, exchange),
      // What has no unicast key takes no counters, and its answers have none.
      line: new Line(this.#dependencies, place, associate?.GUEK ?? 0, file),
      journal,
      record: record ?? openedRecord(place, now()),
      keys: file.keys,
      rotation: journal.cause === "takeover" ? undefined : openRotation(file),
      agreeing,
    });
    try {
      const opened = contactEntry(live, now(), `${kindOf(journal)}-contact-opened`, {
        step: exchange.step,
        carrier: journal.contact?.carrier,
        ...(associate === undefined ? {} : { GUEK: associate.GUEK, GAK: associate.GAK }),
        ...(secret === undefined ? {} : { secret: secret.key }),
      });
      const isLent = secret?.key.purpose === SECRET.LLS;
      // A password goes to the meter in clear: whoever carries it has it from then on.
      const lent = isLent ? [contactEntry(live, now(), CARRIED_KINDS.lent, { key: secret.key })] : [];
      const apdu = await this.#perform(live, journal, effects, exchange, [opened, ...lent]);
      const contact = keep(live);
      const clientSap =
        secret?.key.client ?? (associate === undefined ? facts.publicClientSap : facts.managementClientSap);
      return { kind: "connect", contact, clientSap, serverSap: facts.serverSap, step: exchange.step, apdu };
    } catch (error) {
      live[Symbol.dispose]();
      throw error;
    }
  }

  async #association(file: MeterFile, journal: Journal, exchange: Exchange): Promise<Association> {
    const { vault, clientTitle, random } = this.#dependencies;
    if (exchange.kind === "associate") return this.#secured(file, exchange);
    if (exchange.kind !== "associate-secret") return Association.open();
    const { key } = exchange;
    const [secret] = (await unsealKeys(vault, file.keys, [key])) as [SecretKey];
    const client = secretClientOf({ ...file, journal }, key);
    return Association.withSecret(file.meter, client, secret, clientTitle(file.meter.utility), random);
  }

  async #secured(file: MeterFile, { GUEK, GAK }: Effect<"associate">): Promise<Association> {
    const { vault, clientTitle, random } = this.#dependencies;
    const [unicast, authentication] = await unsealKeys(vault, file.keys, [
      { purpose: PURPOSE.GUEK, version: GUEK },
      { purpose: PURPOSE.GAK, version: GAK },
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
    const [journal, ...effects] = this.#step(live, live.journal, { ...event, at } as TakeoverEvent);
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
    const state: TakeoverState = takeoverState(live, journal, true);
    return { kind: "close", next: close.next, milliseconds: close.milliseconds, state, step: close.step };
  }

  #step(
    { meter, keys, agreement }: Pick<MeterFile, "meter" | "keys"> & { readonly agreement: boolean },
    journal: Journal,
    event: TakeoverEvent,
  ) {
    const { arrays, policy, secretClients } = meterFacts(meter.profile);
    const secrets = secretClients.map(({ purpose, clientSap: client }) => ({
      purpose,
      client,
      known: keys.some((key) => isNamed(key, { purpose, client, version: 1 })),
    }));
    const children = newestDefaults(keys).map(({ setup }) => setup);
    return step(journal, event, { arrays, policy, secrets, agreement, children, pace: this.#dependencies.pace });
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
    const sealed = [
      ...(isTransfer ? [transferEntry(live, exchange, now())] : []),
      ...(exchange.kind === "change-secret" || exchange.kind === "set-child-key"
        ? [carriedEntry(live, exchange, journal, now())]
        : []),
      ...(exchange.kind === "raise-policy"
        ? [contactEntry(live, now(), "policy-raise-sealed", { to: exchange.to })]
        : []),
    ];
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

function transferEntry(live: LiveContact, { keys, under, step: name }: Effect<"transfer">, at: number): LedgerDraft {
  return contactEntry(live, at, "key-transfer-sealed", { step: name, keys, under });
}

/** A secret goes under the working keys of the association, in which it lies in clear. */
function carriedEntry(
  live: LiveContact,
  { kind, key }: Effect<"change-secret"> | Effect<"set-child-key">,
  { contact }: Journal,
  at: number,
): LedgerDraft {
  const what = kind === "change-secret" ? CARRIED_KINDS.secret : CARRIED_KINDS.child;
  return contactEntry(live, at, what, { key, GUEK: contact?.GUEK });
}

function kindOf({ cause }: Journal): "takeover" | "rotation" {
  return cause === "takeover" ? cause : "rotation";
}

function stepOf({ contact }: Journal) {
  return contact?.step ?? "release";
}
