import { randomBytes } from "node:crypto";
import {
  type CustodianRequest,
  type CustodianResponse,
  type FieldReport,
  type LeaseOperation,
  type LeaseState,
  MAX_LEASE_HOURS,
} from "@meterkeep/api/custodian";
import { systemTitleText, Turn } from "@meterkeep/dlms";
import type { Finding, LedgerDraft } from "@meterkeep/ledger";
import type { Authority } from "../authority/authority.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import type { Line, SealedAnswers } from "../conversation/line.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import type { Sender } from "../departure/sender.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { meterFacts } from "../protocol/meter-facts.ts";
import { unsealKeys } from "../protocol/meter-keys.ts";
import { FIRST_SETUP, type MeterFile, PURPOSE, setupPlace } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { type Candidate, candidates } from "../takeover/candidates.ts";
import { isFinal } from "../takeover/journal.ts";
import { isInService, journalOf } from "../takeover/view.ts";
import { disputeLines, disputesOf, logDispute, visitsIn } from "./disputes.ts";
import {
  type Dispute,
  FIELD_KINDS,
  type FieldRecord,
  journalWord,
  loggedWord,
  type RecordedLease,
  readField,
  standingOf,
} from "./field-record.ts";
import { handheldOf } from "./handheld.ts";
import { type LeasedMeter, type LeaseTerms, type LentKeys, leaseFile, textHash } from "./lease-file.ts";
import { leaseState } from "./lease-state.ts";
import type { LentMeters, ReturnedMeter } from "./lent-meters.ts";
import { rotateLent } from "./lent-rotation.ts";
import type { LogRead } from "./local-sessions.ts";
import { type CounterRead, reconciled, wordsOf } from "./reconciliation.ts";
import { journalIn } from "./signed-journal.ts";
import type { UnreadLogs } from "./unread-logs.ts";

const HOUR_MILLISECONDS = 3_600_000;
/** Counters that a handheld gets of a meter's line: some ten visits of twenty requests. */
const COUNTERS = 256;
/** Leases of a report, the newest of them, and the octets that they may have as JSON. */
const MOST_REPORTED = 50;
const MOST_OCTETS = 700_000;

/** What leases need. */
export interface LeaseDependencies
  extends Pick<
    ConversationDependencies,
    "files" | "vault" | "committer" | "sendCounters" | "receiveWindows" | "leaving" | "clientTitle" | "now"
  > {
  readonly store: Pick<CustodyStore, "ledger" | "rotations">;
  readonly authority: Pick<Authority, "changes">;
  readonly lentMeters: LentMeters;
  readonly unreadLogs: Pick<UnreadLogs, "learn">;
  /** Who signs what leaves us: a handheld takes the leases of its custodian alone. */
  readonly sender: () => Promise<Sender>;
}

interface SettledMeter {
  readonly file: MeterFile;
  readonly keys: Candidate;
}

/**
 * Leases of meters to technicians (ADR 0020): for hours, to one handheld, with counters of its own, keys sealed to it, and
 * the rotation of these keys as soon as the lease is over, however it ends. What is given, returned and lost are entries of
 * the ledger and nothing else.
 *
 * States of a lease: *open*, then *returned* (a signed journal came back), *expired* (none came in time) or *lost* (its
 * handheld was). After each of them new working keys are planned for its meters, each of which is asked first what it has counted
 * (ADR 0068). What no journal explains makes the lease *disputed* as well.
 */
export class Leases {
  readonly #dependencies: LeaseDependencies;
  /** What changes the field goes one after the other: each looks at what the ledger says, and writes what follows. */
  readonly #turn = new Turn();
  #disputed: readonly RecordedLease[] = [];
  /** Leases that are open, or over while some of their meters have no new keys yet: what somebody may have to do something about. */
  #followed: ReadonlyMap<string, RecordedLease> = new Map();
  /** Leases of which all meters have new keys, and always will. */
  readonly #through = new Set<string>();
  /** What was foreign in the ledger when it was read last. */
  #foreign: readonly Finding[] | undefined;

  constructor(dependencies: LeaseDependencies) {
    this.#dependencies = dependencies;
  }

  /** Learns which meters are lent: to be called before anybody is served. */
  async open(): Promise<void> {
    await this.#field();
  }

  /** What the journals of the last weeks' leases do not explain, the newest lease first. */
  get disputed(): readonly string[] {
    const since = this.#dependencies.now() - TOLD_MILLISECONDS;
    return this.#disputed.filter(({ endedAt = 0 }) => endedAt > since).flatMap(disputeLines);
  }

  enrol(request: CustodianRequest<"enrolHandheld">, caller: Caller): Promise<CustodianResponse<"enrolHandheld">> {
    return this.#turn.run(() => this.#enrol(request, caller));
  }

  give(request: CustodianRequest<"giveLease">, caller: Caller): Promise<CustodianResponse<"giveLease">> {
    const titles = request.meters.map(systemTitleText);
    return this.#turn.run(() => this.#dependencies.leaving.during(titles, () => this.#give(request, caller)));
  }

  return(request: CustodianRequest<"returnLease">, caller: Caller): Promise<CustodianResponse<"returnLease">> {
    return this.#turn.run(() => this.#return(request, caller));
  }

  lose(request: CustodianRequest<"loseHandheld">, caller: Caller): Promise<CustodianResponse<"loseHandheld">> {
    return this.#turn.run(() => this.#lose(request, caller));
  }

  /** Writes down what a meter showed when its lease was over, and goes by it. */
  count(read: CounterRead, place: CountedPlace, evidence: object, caller: Caller): Promise<void> {
    return this.#turn.run(() => this.#count(read, place, evidence, caller));
  }

  /** Writes down what a meter's log told of local sessions in the time of its lease, and goes by it. */
  logged(read: LogRead, place: CountedPlace, caller: Caller): Promise<void> {
    return this.#turn.run(() => this.#logged(read, place, caller));
  }

  /** A meter has proven itself since it was lent: how many answers it has sealed meanwhile is known from that. */
  answered(line: AnsweredLine, caller: Caller): Promise<void> | undefined {
    const over = this.#dependencies.lentMeters.returned(line.place.systemTitle);
    // What was lent is of the first setup: another has keys and counters of its own.
    if (line.place.setup !== FIRST_SETUP || over?.heard === undefined || over.leased.GUEK !== line.keyVersion)
      return undefined;
    const answers = line.unheardSince(over.heard);
    return answers === undefined ? undefined : this.#turn.run(() => this.#answered(over, answers, line, caller));
  }

  /**
   * Ends leases that were not returned in time, and plans again what a crash or a rotation under way has left unplanned. To be
   * called every few seconds.
   */
  sweep(): Promise<void> {
    return this.#turn.run(() => this.#sweep());
  }

  async #enrol(
    { publicKey, technician }: CustodianRequest<"enrolHandheld">,
    caller: Caller,
  ): Promise<CustodianResponse<"enrolHandheld">> {
    const { name, keyId } = handheldOf(publicKey, technician).recipient;
    const { handhelds } = await this.#field();
    if (handhelds.has(name)) throw new CallRefusal("lease-refused", `a handheld is, or was, called ${name}`);
    const asked = { handheld: name, keyId, technician };
    await this.#dependencies.authority.changes.require("enrol-handheld", asked, caller);
    await this.#write(FIELD_KINDS.enrolled, caller, { publicKey, technician, keyId });
    return {};
  }

  async #give(request: CustodianRequest<"giveLease">, caller: Caller): Promise<CustodianResponse<"giveLease">> {
    const { authority, now, clientTitle, lentMeters } = this.#dependencies;
    const { handheld: name, hours, operations, reason } = request;
    const { handhelds, leases } = await this.#field();
    const handheld = handhelds.get(name);
    if (handheld === undefined || handheld.lostAt !== undefined)
      throw new CallRefusal(
        "lease-refused",
        `the handheld ${name} is ${handheld === undefined ? "not enrolled" : "lost"}`,
      );
    if (hours < 1 || hours > MAX_LEASE_HOURS || request.meters.length === 0 || operations.length === 0)
      throw new CallRefusal("lease-refused", `a lease has meters, operations, and 1 to ${MAX_LEASE_HOURS} hours`);
    const titles = [...new Set(request.meters.map(systemTitleText))].sort();
    requireFree(titles, leases);
    const settled = await Promise.all(titles.map((title) => this.#settled(title)));
    const [utility, ...others] = new Set(settled.map(({ file }) => file.meter.utility));
    if (utility === undefined || others.length > 0)
      throw new CallRefusal("lease-refused", "a lease is for meters of one utility");
    const { technician } = handheld;
    const asked = { handheld: name, technician, hours, operations: [...operations], meters: titles };
    await authority.changes.require("lend-keys", asked, caller, reason);
    const from = now();
    const until = from + hours * HOUR_MILLISECONDS;
    // First: a reading between the handheld's counters and the entry would use higher ones.
    using _lending = lentMeters.lend(titles, { technician, until });
    const meters: LeasedMeter[] = [];
    for (const one of settled) meters.push(await this.#leased(one, operations));
    const terms: LeaseTerms = {
      format: "meterkeep-lease-1",
      lease: randomBytes(12).toString("hex"),
      handheld: name,
      technician,
      from,
      until,
      operations,
      client: Buffer.from(clientTitle(utility)).toString("hex").toUpperCase(),
      meters,
    };
    const file = leaseFile(terms, await this.#lent(settled), handheld.recipient, await this.#dependencies.sender());
    // Before it leaves: from here on the keys count as seen.
    const heard = Object.fromEntries(settled.flatMap((one) => this.#heard(one)));
    await this.#write(FIELD_KINDS.given, caller, { terms, reason, file: textHash(file), heard });
    return { lease: terms.lease, file };
  }

  async #return(
    { journal }: CustodianRequest<"returnLease">,
    caller: Caller,
  ): Promise<CustodianResponse<"returnLease">> {
    const { leases, handhelds } = await this.#field();
    const said = journalIn(journal, (id) => handhelds.get(leases.get(id)?.terms.handheld ?? ""));
    const lease = leases.get(said.lease);
    if (lease === undefined || lease.state === "returned")
      throw new CallRefusal("lease-refused", `the lease ${said.lease} is ${lease?.state ?? "unknown"}`);
    const { used, passed, text } = said;
    const visits = visitsIn(text, lease.terms, this.#dependencies.now());
    const body = { lease: said.lease, used, passed, journal: textHash(text), ...visits };
    const returned = this.#entry(FIELD_KINDS.returned, caller, body);
    const told = { ...lease, journal: wordsOf(used, passed), visits };
    await this.#writeAll([
      returned,
      ...disputesOf(said, told, this.#dependencies.now()).map((one) =>
        this.#entry(FIELD_KINDS.disputed, CUSTODIAN, one),
      ),
    ]);
    await this.#rotate(said.lease, `lease ${said.lease} was returned`);
    return this.report();
  }

  async #count(read: CounterRead, { utility, island }: CountedPlace, evidence: object, caller: Caller): Promise<void> {
    const { leases } = await this.#field();
    const lease = leases.get(read.lease);
    const leased = lease?.terms.meters.find(({ meter }) => meter === read.meter);
    if (lease === undefined || leased === undefined || lease.state === "open" || lease.reads.has(read.meter)) return;
    const { meter } = read;
    const of = { utility, island, meter };
    const { outcome, sentence } = reconciled({ leased, journal: journalWord(lease, meter), read, isRotated: false });
    const counted = this.#entry(FIELD_KINDS.counted, caller, { ...read, outcome, ...evidence });
    const isKnown = lease.disputes.some((one) => one.of === meter && one.byLog !== true);
    const disputed: readonly Dispute[] =
      outcome === "finding" && !isKnown ? [{ lease: read.lease, of: meter, why: sentence }] : [];
    await this.#writeAll([
      { ...counted, ...of },
      ...disputed.map((one) => ({ ...this.#entry(FIELD_KINDS.disputed, CUSTODIAN, one), ...of })),
    ]);
    if (disputed.length > 0) await this.#rotate(read.lease, `lease ${read.lease} is disputed`);
  }

  async #logged(read: LogRead, { utility, island }: CountedPlace, caller: Caller): Promise<void> {
    const { now } = this.#dependencies;
    const lease = (await this.#field()).leases.get(read.lease);
    const leased = lease?.terms.meters.find(({ meter }) => meter === read.meter);
    if (lease === undefined || leased === undefined || lease.state === "open" || lease.logs.has(read.meter)) return;
    const told = { ...lease, logs: new Map([...lease.logs, [read.meter, read]]) };
    const disputed = logDispute(told, leased, now());
    const { outcome } = loggedWord(told, leased, now());
    const entries = [
      this.#entry(FIELD_KINDS.logged, caller, { ...read, outcome }),
      ...disputed.map((one) => this.#entry(FIELD_KINDS.disputed, CUSTODIAN, one)),
    ];
    await this.#writeAll(entries.map((entry) => ({ ...entry, utility, island, meter: read.meter })));
    if (disputed.length > 0) await this.#rotate(read.lease, `lease ${read.lease} is disputed`);
  }

  async #answered(
    { lease, leased }: ReturnedMeter,
    answers: SealedAnswers,
    line: AnsweredLine,
    caller: Caller,
  ): Promise<void> {
    const { utility, island, systemTitle: meter } = line.place;
    if ((await this.#field()).leases.get(lease)?.answers.has(meter) !== false) return;
    const since = Math.max(0, line.first - (leased.first + leased.count));
    const answered = this.#entry(FIELD_KINDS.answered, caller, { lease, meter, ...answers, since });
    await this.#writeAll([{ ...answered, utility, island, meter }]);
  }

  /** New keys for the meters of a lease, as what the ledger says of it by now asks for. */
  async #rotate(id: string, reason: string): Promise<void> {
    const lease = (await this.#field()).leases.get(id);
    if (lease !== undefined) await rotateLent(this.#dependencies, lease, reason);
  }

  async #lose(
    { handheld, reason }: CustodianRequest<"loseHandheld">,
    caller: Caller,
  ): Promise<CustodianResponse<"loseHandheld">> {
    const { handhelds } = await this.#field();
    if (!handhelds.has(handheld)) throw new CallRefusal("lease-refused", `no handheld is called ${handheld}`);
    await this.#write(FIELD_KINDS.lost, caller, { handheld, reason });
    for (const lease of (await this.#field()).leases.values())
      if (lease.terms.handheld === handheld)
        await rotateLent(this.#dependencies, lease, `handheld ${handheld} is lost`);
    return this.report();
  }

  async report(): Promise<CustodianResponse<"fieldReport">> {
    const { handhelds, leases } = await this.#field();
    const newest: LeaseState[] = [];
    let octets = 0;
    for (const lease of [...leases.values()].reverse().slice(0, MOST_REPORTED)) {
      const state = await leaseState(this.#dependencies, lease);
      octets += Buffer.byteLength(JSON.stringify(state));
      if (octets > MOST_OCTETS) break;
      newest.push(state);
    }
    const report: FieldReport = {
      handhelds: [...handhelds.values()].map(({ recipient, technician, lostAt }) => ({
        handheld: recipient.name,
        keyId: recipient.keyId,
        technician,
        state: lostAt === undefined ? "enrolled" : "lost",
      })),
      leases: newest,
    };
    return { report: JSON.stringify(report) };
  }

  async #sweep(): Promise<void> {
    const { now, store } = this.#dependencies;
    // Nobody else writes of leases: what was read stands until something in the ledger turns out to be somebody else's.
    if (this.#foreign !== store.ledger.foreign.findings) await this.#field();
    for (const [id, lease] of this.#followed) {
      if (lease.state !== "open") {
        const isOver = now() - lease.terms.until >= FOLLOWED_MILLISECONDS;
        if (isOver || (await rotateLent(this.#dependencies, lease, `lease ${id} is ${standingOf(lease)}`))) {
          if (!isOver) this.#through.add(id);
          this.#followed = new Map([...this.#followed].filter(([other]) => other !== id));
        }
        continue;
      }
      if (lease.terms.until > now()) continue;
      await this.#write(FIELD_KINDS.expired, CUSTODIAN, { lease: id });
      await this.#rotate(id, `lease ${id} has ended`);
    }
  }

  async #field(): Promise<FieldRecord> {
    const { store, lentMeters, unreadLogs, now } = this.#dependencies;
    const foreign = store.ledger.foreign.findings;
    const record = await readField(store.ledger);
    this.#foreign = foreign;
    lentMeters.learn(record.leases.values());
    unreadLogs.learn(record.leases.values());
    this.#disputed = [...record.leases.values()].filter(({ disputes }) => disputes.length > 0).reverse();
    const recent = [...record.leases].filter(
      ([, { state, terms }]) => state === "open" || now() - terms.until < FOLLOWED_MILLISECONDS,
    );
    const known = new Set(recent.map(([id]) => id));
    for (const id of this.#through) if (!known.has(id)) this.#through.delete(id);
    this.#followed = new Map(recent.filter(([id]) => !this.#through.has(id)));
    return record;
  }

  /** A meter whose keys are known for certain: with others the handheld would lock it up. */
  async #settled(title: string): Promise<SettledMeter> {
    const file = await this.#dependencies.files.load(title);
    if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
    if (!isInService(file.meter))
      throw new CallRefusal("meter-left", `meter ${title} has left: it is ${file.meter.standing}`);
    const { journal } = journalOf(file);
    const [keys, ...others] = candidates(journal);
    if (keys === undefined || others.length > 0 || (journal.cause === "takeover" && !isFinal(journal.verdict)))
      throw new CallRefusal("keys-unsettled", `the keys of meter ${title} are not settled: it is not lent now`);
    return { file, keys };
  }

  async #leased(
    { file: { meter }, keys: { GUEK, GAK } }: SettledMeter,
    operations: readonly LeaseOperation[],
  ): Promise<LeasedMeter> {
    const { systemTitle, profile, securitySuite, logicalDeviceName } = meter;
    const first = await this.#dependencies.sendCounters.take(setupPlace(meter), GUEK, COUNTERS);
    const facts = meterFacts(profile);
    const reading = facts.readingClientSap ?? facts.managementClientSap;
    const clients = Object.fromEntries(
      operations.map((operation) => [operation, operation === "read" ? reading : facts.managementClientSap]),
    );
    const label = logicalDeviceName;
    return { meter: systemTitle, label, profile, securitySuite, clients, GUEK, GAK, first, count: COUNTERS };
  }

  /** The highest counter that was ever heard of a meter under the key that is lent. */
  #heard({ file, keys: { GUEK } }: SettledMeter): (readonly [meter: string, counter: number])[] {
    const { receiveWindows } = this.#dependencies;
    receiveWindows.learn(file.windows, file.accepted);
    using held = receiveWindows.hold(setupPlace(file.meter), GUEK);
    const record = held.record();
    return record === undefined ? [] : [[file.meter.systemTitle, record.highest]];
  }

  async #lent(settled: readonly SettledMeter[]): Promise<readonly LentKeys[]> {
    const lent: LentKeys[] = [];
    for (const { file, keys } of settled) {
      const secrets = await unsealKeys(this.#dependencies.vault, file.keys, [
        { purpose: PURPOSE.GUEK, version: keys.GUEK },
        { purpose: PURPOSE.GAK, version: keys.GAK },
      ]);
      const [encryptionKey = "", authenticationKey = ""] = secrets.map((secret) => {
        using held = secret;
        return held.lend((octets) => Buffer.from(octets).toString("hex"));
      });
      lent.push({ meter: file.meter.systemTitle, encryptionKey, authenticationKey });
    }
    return lent;
  }

  #entry(kind: string, { name }: Pick<Caller, "name">, body: object): LedgerDraft {
    return installationEntry(this.#dependencies.now(), kind, name, body);
  }

  #write(kind: string, caller: Pick<Caller, "name">, body: object): Promise<void> {
    return this.#writeAll([this.#entry(kind, caller, body)]);
  }

  async #writeAll(entries: readonly LedgerDraft[]): Promise<void> {
    await this.#dependencies.committer.submit({ entries });
    await this.#field();
  }
}

/** A meter's line, once the meter has proven itself on it. */
type AnsweredLine = Pick<Line, "place" | "keyVersion" | "first" | "unheardSince">;

/** Where a meter is that was asked. */
type CountedPlace = Pick<MeterFile["meter"], "utility" | "island">;

const CUSTODIAN = { name: "custodian" } as const;
/** How long a dispute is told to whoever opens the custodian's page. */
const TOLD_MILLISECONDS = 30 * DAY_MILLISECONDS;
/** So long after its end a lease's rotations are planned again where they are not through. */
const FOLLOWED_MILLISECONDS = 400 * DAY_MILLISECONDS;

/** @throws CallRefusal `lease-refused` where a meter is with somebody already */
function requireFree(titles: readonly string[], leases: FieldRecord["leases"]): void {
  for (const { terms, state } of leases.values()) {
    const taken = state === "open" ? terms.meters.find(({ meter }) => titles.includes(meter)) : undefined;
    if (taken !== undefined)
      throw new CallRefusal(
        "lease-refused",
        `meter ${taken.meter} is lent to ${terms.technician} until it is returned`,
      );
  }
}
