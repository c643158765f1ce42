import {
  type CertificateName,
  type Chain,
  type Credential,
  ENROLLED_USES,
  type EnrolledUse,
  type EnrolmentEffect,
  type EnrolmentEvent,
  type EnrolmentJournal,
  type EnrolmentPlan,
  isOver,
  newEnrolment,
} from "../enrolment/journal.ts";
import { step } from "../enrolment/machine.ts";
import { FAST } from "./takeover-world.ts";

/** How a meter behaves about its certificates. */
export type MeterCharacter =
  | "honest"
  | "holds-foreign"
  | "keeps-foreign"
  | "has-no-anchor"
  | "has-another-anchor"
  | "requests-for-another"
  | "keeps-no-certificate"
  | "exports-former"
  | "makes-no-pair"
  | "makes-no-tls-pair"
  | "takes-nothing"
  | "signs-with-another";

/** What goes wrong with one exchange, or with us around it. */
export const ENROLMENT_FAULTS = [
  "none",
  "unreachable",
  "request-lost",
  "meter-crash-before",
  "meter-crash-after",
  "answer-lost",
  "crash-before-commit",
  "crash-after-commit",
  "crash-before-answer-commit",
] as const;
export type EnrolmentFault = (typeof ENROLMENT_FAULTS)[number];

/** Where we may die while a certificate is issued. */
export const AUTHORITY_FAULTS = ["none", "crash-before-order", "crash-after-order", "crash-after-issue"] as const;
export type AuthorityFault = (typeof AUTHORITY_FAULTS)[number];

const ISSUER = "aa";
const own = (serial: string): CertificateName => ({ serial, issuer: ISSUER });
const item = (id: string, role: "anchor" | "authority" | "client") => ({ ...own(`s-${id}`), id, role, subject: id });

export const CHAIN: Chain = {
  id: "chain-1",
  anchor: item("root", "anchor"),
  items: [item("utility", "authority"), item("issuing", "authority"), item("client", "client")],
  issues: true,
  distrusted: [],
};
const FOREIGN = { serial: "66", issuer: "ff" };

interface Held extends CertificateName {
  readonly id: string;
  readonly use?: EnrolledUse;
}

/** A meter as far as its certificates go: names in the place of octets. */
class PretendMeter {
  readonly character: MeterCharacter;
  held: readonly Held[];
  pending: Partial<Record<EnrolledUse, string>> = {};
  active: Partial<Record<EnrolledUse, string>>;
  former: Partial<Record<EnrolledUse, Held>> = {};
  #made = 0;

  constructor(character: MeterCharacter, identity: readonly Credential[]) {
    this.character = character;
    const anchor = character === "has-another-anchor" ? { ...CHAIN.anchor, id: "other" } : CHAIN.anchor;
    const own = identity.map((credential, at) => ({ ...credential, use: ENROLLED_USES[at] as EnrolledUse }));
    this.held = [
      ...(character === "has-no-anchor" ? [] : [anchor]),
      ...(character === "holds-foreign" || character === "keeps-foreign" ? [{ ...FOREIGN, id: "foreign" }] : []),
      ...own,
    ];
    this.active = Object.fromEntries(own.map(({ use, key }) => [use, key]));
  }

  generate(use: EnrolledUse): boolean {
    if (this.character === "makes-no-pair" || (this.character === "makes-no-tls-pair" && use === "tls")) return false;
    this.#made += 1;
    this.pending = { ...this.pending, [use]: `key-${use}-${this.#made}` };
    return true;
  }

  request(use: EnrolledUse): string | undefined {
    this.#made += 1;
    return this.character === "requests-for-another"
      ? `another-${this.#made}`
      : (this.pending[use] ?? this.active[use]);
  }

  importItem(id: string): boolean {
    if (this.character === "takes-nothing") return false;
    if (this.character === "keeps-no-certificate") return true;
    const found = CHAIN.items.find((one) => one.id === id) as (typeof CHAIN.items)[number];
    this.held = [...this.held.filter((one) => one.id !== id), found];
    return true;
  }

  importOwn(use: EnrolledUse, { id, key, serial, issuer }: Credential): boolean {
    if (key !== this.pending[use] && key !== this.active[use]) return false;
    if (this.character === "keeps-no-certificate") return true;
    const before = this.held.find((one) => one.use === use);
    if (before !== undefined && before.id !== id) this.former[use] = before;
    this.held = [...this.held.filter((one) => one.use !== use), { id, serial, issuer, use }];
    this.active = { ...this.active, [use]: key };
    if (this.pending[use] === key) this.pending = { ...this.pending, [use]: undefined };
    return true;
  }

  export(which: CertificateName | { readonly use: EnrolledUse }): string | undefined {
    if ("use" in which)
      return (
        (this.character === "exports-former" ? this.former[which.use]?.id : undefined) ??
        this.held.find(({ use }) => use === which.use)?.id
      );
    return this.held.find(({ serial, issuer }) => serial === which.serial && issuer === which.issuer)?.id;
  }

  remove({ serial }: CertificateName): boolean {
    if (this.character !== "keeps-foreign") this.held = this.held.filter((one) => one.serial !== serial);
    return true;
  }
}

/** What a run showed. */
export interface EnrolmentRun {
  readonly journal: EnrolmentJournal;
  readonly meter: PretendMeter;
  readonly contacts: number;
  /** Exchanges that were begun. */
  readonly exchanges: number;
  /** How often each key was certified. */
  readonly issued: ReadonlyMap<string, number>;
  readonly retired: ReadonlySet<string>;
}

/** What a run starts with. */
export interface EnrolmentRunOptions {
  /** The renewal of a meter that has been enrolled; a first enrolment unless given. */
  readonly renewing?: boolean;
  readonly authority?: readonly AuthorityFault[];
}

/** The certificates of a meter that was enrolled before. */
export const BEFORE: readonly Credential[] = ENROLLED_USES.map((use) => credentialOf(`first-${use}`));

function credentialOf(key: string): Credential {
  return {
    ...own(`serial-${key}`),
    id: `certificate-${key}`,
    key,
    authority: "ca",
    issuedBy: "issuing",
    notBefore: 0,
    notAfter: 1,
  };
}

/**
 * Runs an enrolment against a pretended meter under a schedule of faults, one for each exchange; when they are used up
 * nothing goes wrong any more. After everything that happens, the identity that a meter uses must be believed, a meter
 * that had one must have one, and no key may have two certificates.
 */
export function runEnrolment(
  character: MeterCharacter,
  faults: readonly EnrolmentFault[],
  options: EnrolmentRunOptions = {},
): EnrolmentRun {
  const rules = { chain: CHAIN, pace: FAST };
  const plan: EnrolmentPlan = options.renewing
    ? { cause: "renewal", renewing: ENROLLED_USES }
    : { cause: "first", renewing: [] };
  const [signing, agreement, tls] = BEFORE as [Credential, Credential, Credential];
  const believed = { digitalSignature: [signing], keyAgreement: [agreement], tls: [tls] };
  const meter = new PretendMeter(character, options.renewing === true ? BEFORE : []);
  const issued = new Map<string, number>();
  const registry = new Map<string, "ordered" | Credential>();
  const retired = new Set<string>();
  const schedule = [...faults];
  const authority = [...(options.authority ?? [])];
  let durable = newEnrolment(1, plan, options.renewing ? { believed, proven: true, wasProven: false } : undefined);
  let at = 1_000_000;
  let contacts = 0;
  let exchanges = 0;

  const check = (): void => {
    for (const use of ENROLLED_USES) {
      const held = meter.held.find((one) => one.use === use);
      if (options.renewing === true && (held === undefined || meter.active[use] === undefined))
        throw new Error(`the meter has lost its identity for ${use}`);
      if (held === undefined) continue;
      if (!durable.believed[use].some(({ id, key }) => id === held.id && key === meter.active[use]))
        throw new Error(`the meter uses ${held.id}, which is not believed`);
      if (retired.has(held.id)) throw new Error(`${held.id} was retired and is in use`);
    }
    for (const [key, times] of issued) if (times > 1) throw new Error(`${key} was certified ${times} times`);
  };
  const commit = (journal: EnrolmentJournal): void => {
    durable = JSON.parse(JSON.stringify(journal)) as EnrolmentJournal;
    check();
  };
  /** The ledger first, then the registry, then the signature: as the authorities do it. */
  const certify = (key: string): EnrolmentEvent | "crashed" => {
    const known = registry.get(key);
    if (known !== undefined && known !== "ordered") return { kind: "certified", at, credential: known };
    const fault = authority.shift() ?? "none";
    if (fault === "crash-before-order") return "crashed";
    registry.set(key, "ordered");
    if (fault === "crash-after-order") return "crashed";
    const credential = credentialOf(key);
    registry.set(key, credential);
    issued.set(key, (issued.get(key) ?? 0) + 1);
    return fault === "crash-after-issue" ? "crashed" : { kind: "certified", at, credential };
  };

  const exchange = (effect: EnrolmentEffect, fault: EnrolmentFault): EnrolmentEvent | "crashed" => {
    at += 10;
    exchanges += 1;
    if (fault === "crash-after-commit") return "crashed";
    if (fault === "unreachable") return { kind: "lost", at, reason: "unreachable" };
    if (fault === "request-lost" || fault === "meter-crash-before") return { kind: "lost", at, reason: "closed" };
    const answer = answerOf(effect);
    check();
    if (fault === "answer-lost" || fault === "meter-crash-after") return { kind: "lost", at, reason: "timed-out" };
    return fault === "crash-before-answer-commit" ? "crashed" : answer;
  };
  const answerOf = (effect: EnrolmentEffect): EnrolmentEvent => {
    const answer = (accepted: boolean): EnrolmentEvent => ({
      kind: "answered",
      at,
      accepted,
      detail: String(accepted),
    });
    switch (effect.kind) {
      case "associate":
        return effect.by === "keys"
          ? { kind: "associated", at }
          : { kind: "associated", at, key: character === "signs-with-another" ? "?" : meter.active.digitalSignature };
      case "export":
        return { kind: "exported", at, id: meter.export(effect.which), detail: "no such certificate" };
      case "list":
        return { kind: "listed", at, certificates: meter.held.map(({ serial, issuer }) => ({ serial, issuer })) };
      case "generate":
        return answer(meter.generate(effect.use));
      case "request": {
        const key = meter.request(effect.use);
        return key === undefined ? { kind: "request-unfit", at, detail: "no request" } : { kind: "requested", at, key };
      }
      case "import-item":
        return answer(meter.importItem(effect.id));
      case "import-own":
        return answer(meter.importOwn(effect.use, registry.get(effect.key) as Credential));
      case "remove":
        return answer(meter.remove(effect.certificate));
      case "ask-signed":
        return answer(meter.active.keyAgreement === durable.slots[1]?.credential?.key);
      case "release":
        return { kind: "released", at };
      default:
        throw new Error(`no exchange for ${effect.kind}`);
    }
  };

  while (contacts < 400) {
    let happened: EnrolmentEvent | "crashed" = { kind: "contact-asked", at, carrier: "head-end" };
    contacts += 1;
    for (;;) {
      if (happened === "crashed") {
        at += 2000;
        break;
      }
      const [journal, ...effects] = step(durable, happened, rules);
      const end = effects.find(({ kind }) => kind === "close" || kind === "wait" || kind === "nothing");
      const doing = effects.find(({ kind }) => !["close", "wait", "nothing", "note", "retire"].includes(kind));
      // Retired before the journal says so: again is as good as once.
      for (const effect of effects) if (effect.kind === "retire") retired.add(effect.credential.id);
      if (doing !== undefined && end !== undefined) throw new Error("the machine goes on and ends");
      if (doing?.kind === "certify") {
        commit(journal);
        happened = certify(doing.key);
        continue;
      }
      const fault: EnrolmentFault = doing === undefined ? "none" : (schedule.shift() ?? "none");
      if (fault === "crash-before-commit") {
        happened = "crashed";
        continue;
      }
      commit(journal);
      if (doing !== undefined) {
        happened = exchange(doing, fault);
        continue;
      }
      if (end === undefined) throw new Error("the machine stands still");
      if (end.kind === "nothing") return { journal: durable, meter, contacts, exchanges, issued, retired };
      at += Math.max((end as { milliseconds: number }).milliseconds, 1);
      break;
    }
    if (isOver(durable)) at += 1;
  }
  throw new Error(`no end after ${contacts} contacts: ${JSON.stringify(durable)}`);
}
