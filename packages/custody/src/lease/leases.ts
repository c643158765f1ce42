import { randomBytes } from "node:crypto";
import {
  type CustodianRequest,
  type CustodianResponse,
  type FieldReport,
  type LeaseOperation,
  MAX_LEASE_HOURS,
} from "@meterkeep/api/custodian";
import { systemTitleText, Turn } from "@meterkeep/dlms";
import type { Authority } from "../authority/authority.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import type { Sender } from "../departure/sender.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { meterFacts } from "../protocol/meter-facts.ts";
import { unsealKeys } from "../protocol/meter-keys.ts";
import { type MeterFile, PURPOSE } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { type Candidate, candidates } from "../takeover/candidates.ts";
import { isFinal } from "../takeover/journal.ts";
import { journalOf } from "../takeover/view.ts";
import { FIELD_KINDS, type FieldRecord, readField } from "./field-record.ts";
import { handheldOf } from "./handheld.ts";
import { type LeasedMeter, type LeaseTerms, type LentKeys, leaseFile, textHash } from "./lease-file.ts";
import { leaseState } from "./lease-state.ts";
import type { LentMeters } from "./lent-meters.ts";
import { rotateLent } from "./lent-rotation.ts";
import { journalIn } from "./signed-journal.ts";

const HOUR_MILLISECONDS = 3_600_000;
/** Counters that a handheld gets of a meter's line: some ten visits of twenty requests. */
const COUNTERS = 256;
const MOST_REPORTED = 50;

/** What leases need. */
export interface LeaseDependencies
  extends Pick<ConversationDependencies, "files" | "vault" | "committer" | "sendCounters" | "clientTitle" | "now"> {
  readonly store: Pick<CustodyStore, "ledger" | "rotations">;
  readonly authority: Pick<Authority, "changes">;
  readonly lentMeters: LentMeters;
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
 * handheld was). After each of them new working keys are planned for its meters.
 */
export class Leases {
  readonly #dependencies: LeaseDependencies;
  /** What changes the field goes one after the other: each looks at what the ledger says, and writes what follows. */
  readonly #turn = new Turn();

  constructor(dependencies: LeaseDependencies) {
    this.#dependencies = dependencies;
  }

  /** Learns which meters are lent: to be called before anybody is served. */
  async open(): Promise<void> {
    await this.#field();
  }

  enrol(request: CustodianRequest<"enrolHandheld">, caller: Caller): Promise<CustodianResponse<"enrolHandheld">> {
    return this.#turn.run(() => this.#enrol(request, caller));
  }

  give(request: CustodianRequest<"giveLease">, caller: Caller): Promise<CustodianResponse<"giveLease">> {
    return this.#turn.run(() => this.#give(request, caller));
  }

  return(request: CustodianRequest<"returnLease">, caller: Caller): Promise<CustodianResponse<"returnLease">> {
    return this.#turn.run(() => this.#return(request, caller));
  }

  lose(request: CustodianRequest<"loseHandheld">, caller: Caller): Promise<CustodianResponse<"loseHandheld">> {
    return this.#turn.run(() => this.#lose(request, caller));
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
    await this.#write(FIELD_KINDS.given, caller, { terms, reason, file: textHash(file) });
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
    // A handheld that says it used counters of others lies, or somebody else does.
    const beyond = said.used.filter(({ meter, next }) => {
      const of = lease.terms.meters.find((one) => one.meter === meter);
      return of === undefined || next < of.first || next > of.first + of.count;
    });
    const body = { lease: said.lease, used: said.used, journal: textHash(said.text), beyond };
    await this.#write(FIELD_KINDS.returned, caller, body);
    await rotateLent(
      this.#dependencies,
      lease,
      beyond.length === 0 ? "exposure" : "compromise",
      `lease ${said.lease} was returned`,
    );
    return this.report();
  }

  async #lose(
    { handheld, reason }: CustodianRequest<"loseHandheld">,
    caller: Caller,
  ): Promise<CustodianResponse<"loseHandheld">> {
    const { handhelds, leases } = await this.#field();
    if (!handhelds.has(handheld)) throw new CallRefusal("lease-refused", `no handheld is called ${handheld}`);
    await this.#write(FIELD_KINDS.lost, caller, { handheld, reason });
    for (const lease of leases.values())
      if (lease.terms.handheld === handheld)
        await rotateLent(this.#dependencies, lease, "compromise", `handheld ${handheld} is lost`);
    return this.report();
  }

  async report(): Promise<CustodianResponse<"fieldReport">> {
    const { handhelds, leases } = await this.#field();
    const newest = [...leases.values()].reverse().slice(0, MOST_REPORTED);
    const report: FieldReport = {
      handhelds: [...handhelds.values()].map(({ recipient, technician, lostAt }) => ({
        handheld: recipient.name,
        keyId: recipient.keyId,
        technician,
        state: lostAt === undefined ? "enrolled" : "lost",
      })),
      leases: await Promise.all(newest.map((lease) => leaseState(this.#dependencies, lease))),
    };
    return { report: JSON.stringify(report) };
  }

  async #sweep(): Promise<void> {
    const { now } = this.#dependencies;
    for (const [id, lease] of (await this.#field()).leases) {
      if (lease.state !== "open") {
        if (now() - lease.terms.until < FOLLOWED_MILLISECONDS)
          await rotateLent(
            this.#dependencies,
            lease,
            lease.state === "lost" ? "compromise" : "exposure",
            `lease ${id} is ${lease.state}`,
          );
        continue;
      }
      if (lease.terms.until > now()) continue;
      await this.#write(FIELD_KINDS.expired, CUSTODIAN, { lease: id });
      await rotateLent(this.#dependencies, lease, "exposure", `lease ${id} has ended`);
    }
  }

  async #field(): Promise<FieldRecord> {
    const { store, lentMeters } = this.#dependencies;
    const record = await readField(store.ledger);
    lentMeters.learn(record.leases.values());
    return record;
  }

  /** A meter whose keys are known for certain: with others the handheld would lock it up. */
  async #settled(title: string): Promise<SettledMeter> {
    const file = await this.#dependencies.files.load(title);
    if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
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
    const { utility, island, systemTitle, profile, securitySuite, logicalDeviceName } = meter;
    const place = { utility, island, systemTitle, setup: 0 };
    const first = await this.#dependencies.sendCounters.take(place, GUEK, COUNTERS);
    const facts = meterFacts(profile);
    const reading = facts.readingClientSap ?? facts.managementClientSap;
    const clients = Object.fromEntries(
      operations.map((operation) => [operation, operation === "read" ? reading : facts.managementClientSap]),
    );
    const label = logicalDeviceName;
    return { meter: systemTitle, label, profile, securitySuite, clients, GUEK, GAK, first, count: COUNTERS };
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

  async #write(kind: string, { name }: Pick<Caller, "name">, body: object): Promise<void> {
    const { committer, now } = this.#dependencies;
    await committer.submit({ entries: [installationEntry(now(), kind, name, body)] });
    await this.#field();
  }
}

const CUSTODIAN = { name: "custodian" } as const;
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
