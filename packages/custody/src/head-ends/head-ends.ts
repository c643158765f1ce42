import type { X509Certificate } from "node:crypto";
import type { CustodianRequest, CustodianResponse, HeadEnd } from "@meterkeep/api/custodian";
import { Turn } from "@meterkeep/dlms";
import type { LedgerDraft, LedgerEntry } from "@meterkeep/ledger";
import { OID } from "@meterkeep/pki";
import type { Changes } from "../authority/changes.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { TokenBuckets } from "../calls/token-bucket.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { isLost } from "../ledger/named-findings.ts";
import { sameMac } from "../records/record-mac.ts";
import type { Committer } from "../store/committer.ts";
import type { CustodyStore } from "../store/store.ts";
import { boundData } from "../vault/key-place.ts";
import type { Vault } from "../vault/vault.ts";
import {
  approvedFacts,
  certificateOf,
  checkHeadEnd,
  type HeadEndJson,
  headEndJson,
  headEndOf,
  principalOf,
  rightsOf,
} from "./head-end.ts";

export const ENROLLED = "head-end-enrolled";
export const REMOVED = "head-end-removed";

/** The most head-ends of one installation. */
const MOST_HEAD_ENDS = 256;

/** A head-end as requests are judged by it. */
export interface EnrolledHeadEnd {
  readonly record: HeadEnd;
  readonly caller: Caller;
  readonly certificates: readonly X509Certificate[];
  /** Its allowance of items. */
  readonly items: TokenBuckets;
}

type Enrolment = CustodianResponse<"headEnds">["headEnds"][number];

interface Enrolled extends EnrolledHeadEnd {
  readonly enrolment: Enrolment;
}

interface EntryBody {
  readonly revision: number;
  readonly name: string;
  readonly reason: string;
  /** Absent: removed. */
  readonly headEnd?: HeadEndJson;
  /** Done again after a restore. */
  readonly restored?: true;
  /** Hex. */
  readonly mac: string;
}

/** What head-ends are kept with. */
export interface HeadEndDependencies {
  readonly ledger: Pick<CustodyStore["ledger"], "ofKinds" | "foreign">;
  readonly committer: Committer;
  readonly vault: Pick<Vault, "authenticate">;
  readonly changes: Pick<Changes, "require">;
  readonly now: () => number;
}

/**
 * Head-ends of any vendor that may use the key service. A record is an entry of the ledger, with a MAC of the vault:
 * there is no row that could be put back or made beside it. What is enrolled or removed counts from the next request on.
 *
 * Records are numbered. An entry that was changed counts nowhere, and the others go on counting; where one is hidden, the gap in the
 * numbers tells, and what was removed or enrolled is done again from second storage as after any finding.
 */
export class HeadEnds {
  readonly #dependencies: HeadEndDependencies;
  #enrolled: ReadonlyMap<string, Enrolled> = new Map();
  #revision = 0;
  /** So many records are known. */
  #records = 0;
  /** Changes go one after the other. */
  readonly #turn = new Turn();

  constructor(dependencies: HeadEndDependencies) {
    this.#dependencies = dependencies;
  }

  /** Reads them from the ledger; one that is not this vault's, and a number that is missing, are told of as findings. */
  open(): Promise<void> {
    return this.#turn.run(async () => {
      const { ledger } = this.#dependencies;
      const enrolled = new Map<string, Enrolled>();
      let [revision, last, records] = [0, 0, 0];
      for (const entry of await ledger.ofKinds([ENROLLED, REMOVED])) {
        const body = JSON.parse(entry.body) as EntryBody;
        const { sequence } = entry;
        if (!(await this.#isAuthentic(entry, body))) {
          ledger.foreign.add({ from: sequence, to: sequence, fault: "altered" });
          continue;
        }
        if (body.revision > revision + 1) this.#tellGap(last + 1, sequence - 1);
        if (body.headEnd === undefined) enrolled.delete(body.name);
        else enrolled.set(body.name, this.#enrolledOf(headEndOf(body.headEnd), entry, body.reason));
        [revision, last, records] = [Math.max(revision, body.revision), sequence, records + 1];
      }
      // One that is written meanwhile has the next number, whatever was hidden behind the last one that is there.
      this.#revision = Math.max(this.#revision, revision);
      this.#enrolled = enrolled;
      this.#records = records;
    });
  }

  /** Records are missing among those entries: where nobody knows yet which, they are not the history that was written. */
  #tellGap(from: number, to: number): void {
    const { foreign } = this.#dependencies.ledger;
    const isKnown = foreign.findings.some((one) => isLost(one) && one.from <= to && from <= one.to);
    if (!isKnown && from <= to) foreign.tell({ from, to, fault: "replaced" });
  }

  /**
   * Reads them again, as something was found to be wrong with the ledger, or to be right again: where it knows more than was read
   * before, that counts. Where it knows less, it was changed since.
   */
  readAgain(): Promise<void> {
    return this.#turn.run(async () => {
      const again = new HeadEnds(this.#dependencies);
      await again.open();
      if (again.#records <= this.#records) return;
      this.#enrolled = again.#enrolled;
      this.#revision = Math.max(this.#revision, again.#revision);
      this.#records = again.#records;
    });
  }

  /** Counts the changes: who was found before one must be looked for again. */
  get revision(): number {
    return this.#records;
  }

  /**
   * Whose certificate that is, as of now: one that is pinned, or that an authority which is enrolled has issued. That the
   * other end has the private key is what the handshake has proven; everything else is judged here.
   */
  of(certificate: X509Certificate): EnrolledHeadEnd | undefined {
    const now = this.#dependencies.now();
    if (now < certificate.validFromDate.getTime() || now > certificate.validToDate.getTime()) return undefined;
    for (const one of this.#enrolled.values()) {
      const { record, certificates } = one;
      const isIts =
        record.trust.kind === "pinned"
          ? certificates.some((pinned) => pinned.fingerprint512 === certificate.fingerprint512)
          : certificate.subject === record.trust.subject && isIssuedBy(certificate, certificates);
      if (isIts) return one;
    }
    return undefined;
  }

  list(): CustodianResponse<"headEnds"> {
    return { headEnds: [...this.#enrolled.values()].map(({ enrolment }) => enrolment) };
  }

  /**
   * Enrols one, as soon as people have agreed to this very record where there are any who approve; taking one away needs
   * nobody.
   *
   * @throws CallRefusal `head-end-invalid`, `approval-required`
   */
  enrol({ headEnd, reason }: CustodianRequest<"enrolHeadEnd">, caller: Caller): Promise<void> {
    return this.#turn.run(async () => {
      const { now, changes } = this.#dependencies;
      checkHeadEnd(headEnd, now());
      this.#requireOwn(headEnd);
      await changes.require("enrol-head-end", approvedFacts(headEnd), caller, reason);
      if (this.#enrolled.size >= MOST_HEAD_ENDS && !this.#enrolled.has(headEnd.name))
        throw new CallRefusal("head-end-invalid", `${MOST_HEAD_ENDS} head-ends are enrolled: remove one first`);
      const entry = await this.#write(ENROLLED, headEnd.name, reason, headEndJson(headEnd), caller);
      this.#enrolled = new Map(this.#enrolled).set(headEnd.name, this.#enrolledOf(headEnd, entry, reason));
    });
  }

  /** @throws CallRefusal `head-end-unknown` */
  remove({ name, reason }: CustodianRequest<"removeHeadEnd">, caller: Caller): Promise<void> {
    return this.#turn.run(async () => {
      if (!this.#enrolled.has(name)) throw new CallRefusal("head-end-unknown", `no head-end ${name} is enrolled`);
      await this.#write(REMOVED, name, reason, undefined, caller);
      const left = new Map(this.#enrolled);
      left.delete(name);
      this.#enrolled = left;
    });
  }

  /**
   * What was done last about a head-end, as its entry had it, done again where the database was put back to before: it is removed,
   * or has the rights that people agreed to then. One that is not here is not given back.
   *
   * @returns whether that changed anything
   */
  again(body: string, caller: Caller): Promise<boolean> {
    const { name, reason, headEnd } = JSON.parse(body) as EntryBody;
    return this.#turn.run(async () => {
      const known = this.#enrolled.get(name);
      if (known === undefined) return false;
      const enrolled = new Map(this.#enrolled);
      if (headEnd === undefined) {
        await this.#write(REMOVED, name, reason, undefined, caller, true);
        enrolled.delete(name);
      } else {
        if (JSON.stringify(headEndJson(known.record)) === JSON.stringify(headEnd)) return false;
        const entry = await this.#write(ENROLLED, name, reason, headEnd, caller, true);
        enrolled.set(name, this.#enrolledOf(headEndOf(headEnd), entry, reason));
      }
      this.#enrolled = enrolled;
      return true;
    });
  }

  /** One certificate is one head-end: else the order of a list would decide who it is. */
  #requireOwn({ name, trust }: HeadEnd): void {
    if (trust.kind !== "pinned") return;
    for (const pem of trust.certificates) {
      const fingerprint = certificateOf(pem)?.fingerprint512;
      for (const { record, certificates } of this.#enrolled.values())
        if (record.name !== name && certificates.some(({ fingerprint512 }) => fingerprint512 === fingerprint))
          throw new CallRefusal("head-end-invalid", `that certificate is ${record.name}'s already`);
    }
  }

  async #write(
    kind: string,
    name: string,
    reason: string,
    headEnd: HeadEndJson | undefined,
    caller: Caller,
    isRestored = false,
  ): Promise<LedgerDraft> {
    const { committer, now } = this.#dependencies;
    const revision = this.#revision + 1;
    const restored = isRestored ? ({ restored: true } as const) : {};
    const said = { revision, name, reason, ...(headEnd !== undefined && { headEnd }), ...restored };
    const at = now();
    const mac = Buffer.from(await this.#mac({ at, kind, principal: caller.name }, said)).toString("hex");
    const entry = installationEntry(at, kind, caller.name, { ...said, mac });
    await committer.submit({ entries: [entry] });
    this.#revision = revision;
    this.#records += 1;
    return entry;
  }

  async #isAuthentic(entry: LedgerEntry, { mac, ...said }: EntryBody): Promise<boolean> {
    return sameMac(await this.#mac(entry, said), Buffer.from(mac, "hex"));
  }

  async #mac(
    { at, kind, principal }: Pick<LedgerDraft, "at" | "kind" | "principal">,
    said: Omit<EntryBody, "mac">,
  ): Promise<Uint8Array> {
    const text = boundData("meterkeep-record-1/head-end", String(at), kind, principal, JSON.stringify(said));
    return (await this.#dependencies.vault.authenticate([text]))[0]!;
  }

  #enrolledOf(record: HeadEnd, { at, principal }: Pick<LedgerDraft, "at" | "principal">, reason: string): Enrolled {
    const { trust, limits } = record;
    const size = { burst: limits.itemsBurst, perSecond: limits.itemsPerSecond };
    return {
      record,
      caller: { name: principalOf(record), role: "head-end", rights: rightsOf(record) },
      certificates: (trust.kind === "pinned" ? trust.certificates : [trust.issuer]).flatMap(
        (pem) => certificateOf(pem) ?? [],
      ),
      items: new TokenBuckets(size, this.#dependencies.now),
      enrolment: { headEnd: record, enrolledAt: at, enrolledBy: principal, reason },
    };
  }
}

/** Issued by an authority, to be used by a client, and none itself (RFC 5280, 4.2.1.9 and 4.2.1.12). */
function isIssuedBy(certificate: X509Certificate, issuers: readonly X509Certificate[]): boolean {
  return (
    !certificate.ca &&
    (certificate.keyUsage as readonly string[] | undefined)?.includes(OID.clientAuth) === true &&
    issuers.some((issuer) => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))
  );
}
