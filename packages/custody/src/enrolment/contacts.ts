import type { ContactAdvance, CustodianRequest, NextContact } from "@meterkeep/api/custodian";
import { COUNTERS_PER_ASSOCIATION, fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import type { LedgerDraft } from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { BUSY_MILLISECONDS } from "../calls/meter-turns.ts";
import type { ContactEnds } from "../calls/open-contacts.ts";
import { TurnedContacts } from "../calls/turned-contacts.ts";
import { Association } from "../conversation/association.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { Line } from "../conversation/line.ts";
import { meterFacts } from "../protocol/meter-facts.ts";
import { unsealKeys, workingKeys } from "../protocol/meter-keys.ts";
import { takeoverMark } from "../records/marks.ts";
import { withTakeoverMacs } from "../records/record-mac.ts";
import {
  type EnrolmentRecord,
  type MeterFile,
  PURPOSE,
  type StoredTakeover,
  setupPlace,
  type TakeoverRecord,
} from "../store/records.ts";
import type { Write } from "../store/store.ts";
import type { Candidate, Pace } from "../takeover/candidates.ts";
import { takeoverStateOf } from "../takeover/meter-state.ts";
import { settledKeys } from "../takeover/settled-keys.ts";
import type { Call, Happened } from "./calls.ts";
import type { ClientKeys } from "./client-keys.ts";
import { believedKeys } from "./identity.ts";
import type { CertificateName, EnrolmentEffect, EnrolmentEvent, EnrolmentJournal } from "./journal.ts";
import { ENROLLED_USES, isOver, newEnrolment, readEnrolment } from "./journal.ts";
import { LiveEnrolment } from "./live-enrolment.ts";
import { step } from "./machine.ts";
import type { MeterAuthority, MeterChain } from "./meter-authority.ts";
import { NotCertified } from "./meter-authority.ts";

/** When to ask again where the removal that a contact is for was stopped. */
const STOPPED_MILLISECONDS = 30_000;
/** When to ask again where keys are not settled, or no authority is there. */
const LATER_MILLISECONDS = 600_000;

/** What enrolments need beyond any conversation. */
export interface EnrolmentContactDependencies extends ConversationDependencies {
  readonly pace: Pace;
  readonly authority: Pick<
    MeterAuthority,
    "chain" | "certify" | "retire" | "retireOrdered" | "removalsOf" | "isAwaited" | "freed"
  >;
  readonly clientKeys: Pick<ClientKeys, "pairs">;
}

type Effect<K extends EnrolmentEffect["kind"]> = Extract<EnrolmentEffect, { kind: K }>;
type Keep = (live: LiveEnrolment) => string;
type Exchange = Call | Effect<"associate"> | Effect<"release">;

const EXCHANGES: readonly EnrolmentEffect["kind"][] = [
  "associate",
  "export",
  "list",
  "generate",
  "request",
  "import-item",
  "import-own",
  "remove",
  "ask-signed",
  "release",
];

/**
 * Runs enrolments: the machine decides, this does. Before any octet leaves, the journal that the machine gave and the
 * ledger's entries are durable, in one commit. What is revoked is revoked before the journal says so, since again is as
 * good as once.
 *
 * A contact lives in this process alone. Whatever ends it, the next one starts from the journal.
 */
export class EnrolmentContacts {
  readonly #dependencies: EnrolmentContactDependencies;
  readonly #contacts: TurnedContacts<LiveEnrolment>;

  constructor(dependencies: EnrolmentContactDependencies) {
    this.#dependencies = dependencies;
    this.#contacts = new TurnedContacts(dependencies);
  }

  /** Opens a contact for a meter whose keys want none; undefined where no enrolment is open. */
  next({ meter }: CustodianRequest<"nextContact">, caller: Caller): Promise<NextContact | undefined> {
    const title = systemTitleText(meter);
    return this.#contacts.begin(title, caller, (keep) => this.#next(title, caller, keep));
  }

  /** Undefined where the contact is none of an enrolment. */
  advance(request: CustodianRequest<"advanceContact">, caller: Caller): Promise<ContactAdvance | undefined> {
    return this.#contacts.advance(request, caller, {
      received: (live, apdu) => this.#received(live, apdu),
      lost: (live, reason) => this.#happened(live, live.lost(reason)),
    });
  }

  /** @see TurnedContacts.sweep */
  sweep(): void {
    this.#contacts.sweep();
  }

  get ends(): ContactEnds {
    return this.#contacts.ends;
  }

  async #next(title: string, caller: Caller, keep: Keep): Promise<NextContact | undefined> {
    const { files } = this.#dependencies;
    const file = await files.load(title);
    const plan = file?.enrolment;
    if (file === undefined || plan === undefined || plan.endedAt !== undefined) return undefined;
    const later = { kind: "wait", milliseconds: LATER_MILLISECONDS, state: takeoverStateOf(file) } as const;
    const busy = () => ({ ...later, milliseconds: BUSY_MILLISECONDS });
    return this.#contacts.taking(title, caller, busy, () => this.#goOn(file, plan, later, caller, keep));
  }

  /** What comes next of an enrolment that is open. */
  async #goOn(
    file: MeterFile,
    plan: EnrolmentRecord,
    later: NextContact & { readonly kind: "wait" },
    caller: Caller,
    keep: Keep,
  ): Promise<NextContact | undefined> {
    const { now, authority } = this.#dependencies;
    const title = file.meter.systemTitle;
    let keys: Candidate;
    let chain: MeterChain;
    try {
      keys = settledKeys(file);
      const isFreeing = (await authority.removalsOf(title, [])).length > 0;
      // Between a stop and the next start nothing is removed; what has begun as a removal waits too.
      if (plan.cause === "revocation" && !isFreeing && (await authority.isAwaited(title)))
        return { ...later, milliseconds: STOPPED_MILLISECONDS };
      chain = await authority.chain(file.meter, suiteOf(file), isFreeing);
    } catch (error) {
      if (error instanceof CallRefusal || error instanceof NotCertified) return later;
      throw error;
    }
    const { journal, record } = openedJournal(file, plan, now());
    const carrier = caller.role === "depot" ? "depot" : "head-end";
    const rules = { chain, pace: this.#dependencies.pace };
    const [asked, ...effects] = step(journal, { kind: "contact-asked", at: now(), carrier }, rules);
    const associate = effects.find((effect): effect is Effect<"associate"> => effect.kind === "associate");
    if (associate === undefined) {
      // The contact in which it came to its end was lost before that was said.
      if (isOver(asked) && record.closedAt === undefined) {
        const { writes, mark } = await this.#nextRevision(plan, record, asked);
        await this.#dependencies.committer.submit({ writes, entries: [mark] });
        return undefined;
      }
      const wait = effects.find((effect): effect is Effect<"wait"> => effect.kind === "wait");
      return wait === undefined ? undefined : { ...later, milliseconds: wait.milliseconds };
    }
    return this.#begin({ file, plan, journal: asked, record, keys, chain, caller }, associate, keep);
  }

  async #begin(
    parts: {
      readonly file: MeterFile;
      readonly plan: EnrolmentRecord;
      readonly journal: EnrolmentJournal;
      readonly record: TakeoverRecord;
      readonly keys: Candidate;
      readonly chain: MeterChain;
      readonly caller: Caller;
    },
    associate: Effect<"associate">,
    keep: Keep,
  ): Promise<NextContact> {
    const { now } = this.#dependencies;
    const { file, plan, journal, record, keys, chain, caller } = parts;
    const { meter } = file;
    const facts = meterFacts(meter.profile);
    const association = await this.#association(file, journal, keys, associate.by);
    const place = setupPlace(file.meter);
    const line = new Line(this.#dependencies, place, keys.GUEK, file);
    const common = { caller, meter, place, line };
    const live = new LiveEnrolment({ ...common, association, chain, plan, journal, record });
    try {
      const opened = entry(live, now(), "enrolment-contact-opened", {
        step: associate.step,
        by: associate.by,
        cause: journal.cause,
        GUEK: keys.GUEK,
        GAK: keys.GAK,
      });
      const apdu = await this.#perform(live, journal, [], associate, [opened]);
      const contact = keep(live);
      const signing = facts.signingClientSap ?? facts.managementClientSap;
      const clientSap = associate.by === "signature" ? signing : facts.managementClientSap;
      return { kind: "connect", contact, clientSap, serverSap: facts.serverSap, step: associate.step, apdu };
    } catch (error) {
      live[Symbol.dispose]();
      throw error;
    }
  }

  async #association(
    file: MeterFile,
    journal: EnrolmentJournal,
    { GUEK, GAK }: Candidate,
    by: Effect<"associate">["by"],
  ): Promise<Association> {
    const { vault, clientTitle, clientKeys, random } = this.#dependencies;
    const { utility } = file.meter;
    const [unicast, authentication] = (await unsealKeys(vault, file.keys, [
      { purpose: PURPOSE.GUEK, version: GUEK },
      { purpose: PURPOSE.GAK, version: GAK },
    ])) as [Parameters<typeof workingKeys>[0], Parameters<typeof workingKeys>[1]];
    const keys = workingKeys(unicast, authentication);
    const facts = meterFacts(file.meter.profile);
    if (by === "keys") return Association.secured(file.meter, facts, keys, clientTitle(utility), random);
    const suite = suiteOf(file);
    const pairs = await clientKeys.pairs(file.meter, suite);
    const parties = { suite, title: clientTitle(utility), pairs, believed: believedKeys(journal) };
    return Association.signing(file.meter, facts, keys, parties, random);
  }

  async #received(live: LiveEnrolment, apdu: Uint8Array): Promise<ContactAdvance> {
    const outcome = live.receive(apdu);
    if (outcome.kind === "send") return { kind: "send", step: stepOf(live.journal), apdu: outcome.apdu };
    return this.#happened(live, outcome.event);
  }

  /** Lets the machine decide and does what it wants. */
  async #happened(live: LiveEnrolment, event: Happened): Promise<ContactAdvance> {
    const { now, pace } = this.#dependencies;
    const at = now();
    const rules = { chain: live.chain, pace };
    const [journal, ...effects] = step(live.journal, { ...event, at } as EnrolmentEvent, rules);
    if (event.kind === "listed") await this.#freed(live, journal, event.certificates);
    const certify = effects.find((effect): effect is Effect<"certify"> => effect.kind === "certify");
    if (certify !== undefined) {
      await this.#commit(live, journal, effects, []);
      return this.#happened(live, await this.#certified(live, certify));
    }
    const exchange = effects.find((effect): effect is Exchange => EXCHANGES.includes(effect.kind));
    if (exchange !== undefined) {
      const apdu = await this.#perform(live, journal, effects, exchange, []);
      return { kind: "send", step: exchange.step, apdu };
    }
    const close = effects.find((effect): effect is Effect<"close"> => effect.kind === "close");
    if (close === undefined) throw new CallRefusal("custodian-failed", "an enrolment stands still");
    const body = { step: close.step, next: close.next, ...live.evidence.summary() };
    await this.#commit(live, journal, effects, [entry(live, at, "enrolment-contact-closed", body)]);
    this.#contacts.over(live);
    const file = await this.#dependencies.files.load(live.meter.systemTitle);
    if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${live.meter.systemTitle} is gone`);
    const { next, milliseconds, step: name } = close;
    return { kind: "close", next, milliseconds, state: takeoverStateOf(file), step: name };
  }

  /** What a meter says that it holds ends the removals that have nothing left to take from it. */
  async #freed(live: LiveEnrolment, journal: EnrolmentJournal, held: readonly CertificateName[]): Promise<void> {
    const { authority } = this.#dependencies;
    const own = new Set(Object.values(journal.believed).flatMap((all) => all.map(({ serial }) => serial)));
    const serials = held.map(({ serial }) => serial).filter((serial) => !own.has(serial));
    const title = live.meter.systemTitle;
    for (const { plan, held: left } of await authority.removalsOf(title, serials)) {
      if (left.length === 0) await authority.freed(plan, title, "it holds none of them");
      else if (journal.swept) await authority.freed(plan, title, `it will not give up ${left.length} of them`);
    }
  }

  async #certified(live: LiveEnrolment, { use, key }: Effect<"certify">): Promise<Happened> {
    try {
      const { credential } = await this.#certificate(live, use, key);
      return { kind: "certified", credential };
    } catch (error) {
      if (!(error instanceof NotCertified)) throw error;
      return { kind: "not-certified", detail: error.message, isFinal: error.isFinal };
    }
  }

  #certificate({ meter }: LiveEnrolment, use: Effect<"certify">["use"], key: string) {
    const device = systemTitle(fromHex(meter.systemTitle));
    const suite = meter.securitySuite === 2 ? 2 : 1;
    return this.#dependencies.authority.certify({ place: meter, suite, use, device, publicKey: fromHex(key) });
  }

  /** Commits what the machine decided, then builds the octets that it makes true. */
  async #perform(
    live: LiveEnrolment,
    journal: EnrolmentJournal,
    effects: readonly EnrolmentEffect[],
    exchange: Exchange,
    opening: readonly LedgerDraft[],
  ): Promise<Uint8Array> {
    const { now } = this.#dependencies;
    const octets = await this.#importOctets(live, exchange);
    const count = exchange.kind === "associate" ? COUNTERS_PER_ASSOCIATION : 1;
    // The reservation, where one is needed, joins the same commit.
    const [first] = await Promise.all([
      live.line.take(count),
      this.#commit(live, journal, effects, [...opening, ...sealedEntry(live, journal, exchange, now())]),
    ]);
    if (exchange.kind === "associate") return live.associate(first);
    return exchange.kind === "release" ? live.release(first) : live.call(exchange, first, octets);
  }

  async #importOctets(live: LiveEnrolment, exchange: Exchange): Promise<Uint8Array | undefined> {
    if (exchange.kind === "import-item") return live.chain.octets.get(exchange.id);
    if (exchange.kind !== "import-own") return undefined;
    return (await this.#certificate(live, exchange.use, exchange.key)).octets;
  }

  async #commit(
    live: LiveEnrolment,
    journal: EnrolmentJournal,
    effects: readonly EnrolmentEffect[],
    entries: readonly LedgerDraft[],
  ): Promise<void> {
    const { committer, now, authority } = this.#dependencies;
    for (const effect of effects) if (effect.kind === "retire") await authority.retire(effect.credential);
    const [tls] = journal.believed.tls;
    if (journal.proven && !live.journal.proven && tls !== undefined)
      await authority.retireOrdered(live.meter.systemTitle, tls);
    const { takeover, writes, mark } = await this.#nextRevision(live.plan, live.record, journal);
    const notes = effects
      .filter((effect) => effect.kind === "note")
      .map(({ what, detail }) => entry(live, now(), what, { detail }));
    await committer.submit({ writes, entries: [...entries, ...notes, mark] });
    live.record = takeover;
    live.journal = journal;
  }

  /** The journal's next revision: what is written of it, and the ledger's mark. */
  async #nextRevision(plan: EnrolmentRecord, record: TakeoverRecord, journal: EnrolmentJournal) {
    const { vault, now } = this.#dependencies;
    const next: TakeoverRecord = {
      ...record,
      revision: record.revision + 1,
      journal: JSON.stringify(journal),
      closedAt: isOver(journal) && journal.contact === undefined ? now() : undefined,
    };
    const [takeover] = (await withTakeoverMacs(vault, [next])) as [StoredTakeover];
    const writes: Write[] = [{ kind: "put-takeover", takeover }, ...planMarks(plan, takeover, journal, now())];
    return { takeover, writes, mark: takeoverMark(takeover, now()) };
  }
}

/** The journal of a plan: its own where it has begun, else a fresh one that knows what the one before it left. */
function openedJournal(
  file: MeterFile,
  plan: EnrolmentRecord,
  at: number,
): { readonly journal: EnrolmentJournal; readonly record: TakeoverRecord } {
  const [stored] = file.enrolments;
  const before = stored && readEnrolment(stored);
  if (stored !== undefined && before !== undefined && stored.takeover === plan.enrolment)
    return { journal: before, record: stored };
  const renewing = plan.cause === "first" || plan.cause === "authorities" ? [] : ENROLLED_USES;
  return {
    journal: newEnrolment(suiteOf(file), { cause: plan.cause, renewing }, before),
    record: {
      ...setupPlace(file.meter),
      subject: "certificates",
      takeover: plan.enrolment,
      revision: 0,
      journal: "",
      openedAt: at,
      closedAt: undefined,
    },
  };
}

/** What the plan is told by a revision of its journal: that it has begun, or how it ended. */
function planMarks(plan: EnrolmentRecord, record: TakeoverRecord, journal: EnrolmentJournal, at: number): Write[] {
  const { revision, closedAt, openedAt } = record;
  if (revision > 1 && closedAt === undefined) return [];
  const { utility, island, systemTitle: title } = record;
  const ends = journal.slots.flatMap(({ credential }) => credential?.notAfter ?? []);
  return [
    {
      kind: "mark-enrolment",
      place: { utility, island, systemTitle: title },
      enrolment: plan.enrolment,
      begunAt: openedAt,
      endedAt: closedAt === undefined ? undefined : at,
      outcome: closedAt === undefined ? undefined : outcomeOf(journal),
      expiresAt: closedAt === undefined || ends.length === 0 ? undefined : Math.min(...ends),
    },
  ];
}

function outcomeOf({ proven, verdict }: EnrolmentJournal): NonNullable<EnrolmentRecord["outcome"]> {
  if (verdict === "freed") return "freed";
  return proven ? "enrolled" : "failed";
}

/** What is asked of a meter that changes it has an entry of its own before it is sealed. */
function sealedEntry(live: LiveEnrolment, { slots }: EnrolmentJournal, exchange: Exchange, at: number): LedgerDraft[] {
  switch (exchange.kind) {
    case "generate":
      return [entry(live, at, "key-pair-asked", { use: exchange.use })];
    case "import-own": {
      const slot = slots.find(({ use }) => use === exchange.use);
      const serial = slot?.credential?.serial ?? null;
      return [entry(live, at, "certificate-import-sealed", { use: exchange.use, serial })];
    }
    case "import-item":
      return [entry(live, at, "certificate-import-sealed", { certificate: exchange.id })];
    case "remove":
      return [entry(live, at, "certificate-removal-sealed", { ...exchange.certificate })];
    default:
      return [];
  }
}

function entry({ caller, place }: LiveEnrolment, at: number, kind: string, body: unknown): LedgerDraft {
  const { utility, island, systemTitle: meter } = place;
  return { at, kind, principal: caller.name, utility, island, meter, body };
}

function suiteOf({ meter }: MeterFile): 1 | 2 {
  return meter.securitySuite === 2 ? 2 : 1;
}

function stepOf({ contact }: EnrolmentJournal) {
  return contact?.step ?? "release";
}
