import { createHash, randomBytes } from "node:crypto";
import { type CustodianRequest, type CustodianResponse, MAX_PAGE_CERTIFICATES } from "@meterkeep/api/custodian";
import { DlmsError, fromHex, toHex } from "@meterkeep/dlms";
import {
  AUTHORITY_MADE,
  type Certificate,
  type CertificateOrder,
  type CertificateQuery,
  type CertificateRecord,
  decodeCertificate,
  deviceOf,
  makeRequestWith,
  OID,
  openRequest,
  PASSWORD_MADE,
  PkiError,
  type RevocationReason,
  requireSubject,
  SHARDS,
} from "@meterkeep/pki";
import type { Changes } from "../authority/changes.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { WORKER_PROFILE } from "../channel/remote-workers.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import type { CustodianService } from "../service/service.ts";
import { adoptList } from "./adopt-list.ts";
import { ANY_POLICY, profileOf } from "./development-tree.ts";
import { ENROLLED_OVER_EST } from "./enrollable.ts";
import type { Pki } from "./open-pki.ts";
import { revocationService } from "./revocation-service.ts";
import { RevokingAlone } from "./revoking-alone.ts";
import { hostNames, subjectOf, subjectText } from "./subjects.ts";
import { authorityView, certificateViews } from "./views.ts";

/** The methods by which others use the PKI. */
export type PkiService = Pick<
  CustodianService,
  | "authorities"
  | "makeAuthority"
  | "adoptAuthority"
  | "adoptList"
  | "issueCertificates"
  | "searchCertificates"
  | "newestCertificates"
  | "revokeCertificates"
  | "publishedList"
  | "publishedAnswer"
  | "expiryBoard"
  | "assignments"
  | "setAssignments"
  | "revocationEffect"
  | "authorityMeters"
  | "planRevocation"
  | "moveRevocation"
  | "revocations"
  | "certificateRemovals"
  | "replayRegistry"
  | "makeEnrolmentPassword"
>;

/** Columns of the expiry board. */
const ENDING_DAYS = [7, 30, 90, 365, 3 * 365, 10 * 365];
const NO_END_MS = Date.UTC(10_000, 0);
const PASSWORD_BYTES = 16;
const MOST_OTHERS = 100;
const MOST_FACTS = 64;
const MOST_FACT_CHARACTERS = 512;

/**
 * Serves the PKI to the custodian's callers. What it refuses is said with its reason: nobody learns a secret from it.
 *
 * @param changes what changes the tree, or takes trust from a part of it, is done only when people have agreed to it
 */
export function pkiService(pki: Pki, changes: Pick<Changes, "require">): PkiService {
  const { authorities, keys, publisher, store, now } = pki;
  const alone = new RevokingAlone({ pki, changes, ledger: pki.ledger });
  const service: PkiService = {
    authorities: async () => {
      const views = [];
      for (const one of await authorities.all()) views.push(await authorityView(pki, one));
      return { authorities: views, address: pki.address };
    },
    makeAuthority: async ({ utility, island, name, profile: profileName, parent }, caller) => {
      const profile = profileOf(profileName);
      if (profile.authority === false) throw new PkiError("profile-violated", `${profileName} is no authority's`);
      const agreed = { utility, island, name, profile: profileName, parent: parent ?? "a root elsewhere" };
      await changes.require("make-authority", agreed, caller);
      const place = `${profileName}-${utility}-${island}`;
      const taken = await takenKeyNames(pki);
      let keyName = `${place}-1`;
      for (let number = 2; taken.has(keyName); number += 1) keyName = `${place}-${number}`;
      const key = await keys.make(keyName, profile.curve);
      if (parent === undefined) return { kind: "requested", keyName, request: await makeRequestWith(key, name) };
      const order = { utility, island, name, profile, parent, keyName, requester: caller.name };
      return { kind: "made", authority: (await authorities.make({ ...order, policies: [ANY_POLICY] })).authority };
    },
    adoptAuthority: async ({ keyName, certificate, profile, parent, utility, island, name }, caller) => {
      const digest = createHash("sha256").update(certificate).digest("hex");
      const agreed = { utility, island, name, profile, parent: parent ?? "itself", certificate: digest };
      await changes.require("adopt-authority", agreed, caller);
      const named = keyName ?? `offline:${digest.slice(0, 16)}`;
      const place = { utility, island, name, profile: profileOf(profile), ...(parent !== undefined && { parent }) };
      const adopted = { ...place, keyName: named, certificate, requester: caller.name };
      return { authority: (await authorities.adopt(adopted)).authority };
    },
    adoptList: async (list, caller) => {
      await adoptList(pki, list, caller.name);
      return {};
    },
    issueCertificates: (request, caller) => issueBatch(pki, request, caller),
    searchCertificates: async ({ limit, ...query }) => {
      const asked = { ...defined(query), limit: bounded(limit) };
      const found =
        asked.state === "valid" ? await searchStanding(pki, asked) : await store.registry.search(asked, now());
      return { certificates: await certificateViews(pki, found) };
    },
    newestCertificates: async ({ before, after, limit }) => {
      const found = await store.registry.newest({ before, after }, bounded(limit));
      return { certificates: await certificateViews(pki, found) };
    },
    revokeCertificates: async ({ authority, serials, reason }, caller) => {
      const revoking = { authority, serials, reason: reason as RevocationReason };
      await alone.require(revoking, caller);
      const revoked = await authorities.revokeAll(authority, serials, revoking.reason, caller.name);
      return { revoked, others: reason === "keyCompromise" ? await othersOf(pki, authority, serials) : [] };
    },
    publishedList: async ({ authority, shard, kind }) => {
      if (shard >= SHARDS) return { list: undefined };
      const list = await publisher.list(authority, shard, kind);
      return { list: list && { octets: list.octets, until: list.nextUpdate } };
    },
    publishedAnswer: async ({ authority, request }) => publisher.timedAnswer(authority, request),
    expiryBoard: async () => {
      const at = now();
      const moments = [...ENDING_DAYS.map((days) => at + days * DAY_MILLISECONDS), NO_END_MS];
      return { moments, rows: [...(await store.registry.endings(at, moments))] };
    },
    assignments: async () => assignmentsView(await pki.assignments()),
    setAssignments: async ({ rows }, caller) => {
      const said = rows.map(({ authority, name, ranges }) => {
        const spans = ranges.map(({ first, last }) => `${first}-${last}`).join(" ");
        return `${name} (${authority}): ${spans}`.slice(0, MOST_FACT_CHARACTERS);
      });
      // All of it is agreed to, also what is too long to be read out.
      const digest = createHash("sha256").update(JSON.stringify(rows)).digest("hex");
      await changes.require("assign-titles", { rows: said.slice(0, MOST_FACTS), digest }, caller);
      await pki.assign(
        rows.map(({ authority, name, ranges }) => ({
          authority: fromHex(authority),
          name,
          ranges: ranges.map(({ first, last }) => ({ first: fromHex(first), last: fromHex(last) })),
        })),
        caller.name,
      );
      return assignmentsView(await pki.assignments());
    },
    makeEnrolmentPassword: async ({ name, authority, profile, subject, hosts, endsAt }, caller) => {
      const { subject: rule, altName } = profileOf(profile);
      if (!ENROLLED_OVER_EST.has(profile))
        throw new PkiError("request-refused", `certificates of ${profile} are not given over EST`);
      // What no certificate can say is said now, and not to whoever comes with the password.
      requireSubject(rule, subjectOf(subject));
      if (altName.kind === "hosts" && hostNames(hosts).length === 0)
        throw new PkiError("profile-violated", `${profile} names at least one host`);
      const issuer = await authorities.recordOf(authority);
      const { utility, island } = issuer;
      // Whoever is a worker asks what the head-end asks: that is not the operator's to give alone.
      if (profile === WORKER_PROFILE) {
        const place = `${utility}/${island}`;
        await changes.require("enrol-worker", { name: subjectText(subjectOf(subject), []), place, authority }, caller);
      }
      // Who makes it orders what is enrolled with it.
      using _taken = await authorities.requireWithinLimit(caller.name, issuer, 1);
      const password = randomBytes(PASSWORD_BYTES).toString("base64url");
      const wanted = subjectText(subjectOf(subject), hosts);
      await pki.record(PASSWORD_MADE, caller.name, { name, authority, profile, subject: wanted, endsAt });
      await store.passwords.add({
        hash: passwordHash(name, password),
        name,
        authority,
        profile,
        subject: wanted,
        madeBy: caller.name,
        madeAt: now(),
        endsAt,
        usedAt: undefined,
      });
      return { password };
    },
    replayRegistry: () => pki.replay(),
    ...revocationService(pki, changes),
  };
  return refusing(service);
}

/** By the ledger too: an authority that somebody took out of the database had a key, which no other is to have. */
async function takenKeyNames({
  authorities,
  ledger,
}: Pick<Pki, "authorities" | "ledger">): Promise<ReadonlySet<string>> {
  const made = (await ledger.ofKinds([AUTHORITY_MADE])).map(({ body }) => JSON.parse(body) as { keyName?: string });
  return new Set([...(await authorities.all()), ...made].map(({ keyName }) => keyName ?? ""));
}

/**
 * A whole page of those against which nothing speaks. Who asks for what is valid acts on it: a certificate falls with the
 * authorities above it, and with the table.
 */
async function searchStanding(
  pki: Pick<Pki, "doubt" | "fallen" | "authorities" | "store" | "now">,
  query: CertificateQuery,
): Promise<CertificateRecord[]> {
  const butOf: string[] = [];
  // So that nobody walks through the million of an authority that fell.
  for (const { authority } of await pki.authorities.all())
    if ((await pki.fallen(authority)) !== undefined) butOf.push(authority);
  const standing: CertificateRecord[] = [];
  for (let { after } = query; ; ) {
    const page = await pki.store.registry.search({ ...query, butOf, ...(after && { after }) }, pki.now());
    for (const one of page) {
      if ((await pki.doubt({ ...one, systemTitle: titleOf(one) })) === undefined) standing.push(one);
      if (standing.length === query.limit) return standing;
    }
    after = page.at(-1);
    if (page.length < query.limit) return standing;
  }
}

/**
 * What stands beside certificates whose keys were lost: others for the same keys, and, of ends that renew by themselves, others
 * under the same name, which whoever has the key may have asked for with one of his own.
 */
async function othersOf(
  { store, now }: Pick<Pki, "store" | "now">,
  authority: string,
  serials: readonly string[],
): Promise<CustodianResponse<"revokeCertificates">["others"]> {
  const others = new Map<string, CertificateRecord>();
  const valid = { state: "valid", limit: MOST_OTHERS } as const;
  for (const { keyIdentifier, profile, subject } of await store.registry.findAll(authority, serials)) {
    if (others.size >= MOST_OTHERS) break;
    const found = [...(await store.registry.search({ ...valid, keyIdentifier }, now()))];
    if (ENROLLED_OVER_EST.has(profile))
      found.push(
        ...(await store.registry.search({ ...valid, subject }, now())).filter((one) => one.subject === subject),
      );
    for (const one of found) others.set(`${one.authority}/${one.serial}`, one);
  }
  return [...others.values()]
    .slice(0, MOST_OTHERS)
    .map(({ authority: issuer, serial, subject }) => ({ authority: issuer, serial, subject }));
}

/** The device of a certificate, by what was signed: its row may name none, to escape the table. */
function titleOf({ octets, systemTitle }: CertificateRecord): Uint8Array | undefined {
  const said = systemTitle === undefined ? undefined : fromHex(systemTitle);
  if (octets === undefined) return said;
  try {
    return deviceOf(decodeCertificate(octets)) ?? said;
  } catch (error) {
    if (error instanceof DlmsError || error instanceof PkiError) return said;
    throw error;
  }
}

/** A page of a batch: what one item lacks does not keep the others from their certificates. */
async function issueBatch(
  pki: Pki,
  { authority, items, hosts }: CustodianRequest<"issueCertificates">,
  caller: Caller,
): ReturnType<PkiService["issueCertificates"]> {
  const orders = items.map((item): CertificateOrder | { readonly message: string } => {
    try {
      const { publicKey } = openRequest(item.request);
      const subject = subjectOf(item.subject);
      const profile = profileOf(item.profile);
      if (profile.name === WORKER_PROFILE)
        throw new PkiError(
          "request-refused",
          "a worker makes its key itself and enrols with a password, which people agree to",
        );
      // Whoever had one would issue by itself, and the ledger would know nothing of it.
      if (profile.authority !== false)
        throw new PkiError("request-refused", `${profile.name} is an authority's: people agree to one (makeAuthority)`);
      if (profile.extendedKeyUsage.includes(OID.ocspSigning))
        throw new PkiError(
          "request-refused",
          `${profile.name} is given to nobody: whoever had one would call every certificate of its authority good`,
        );
      const names = profile.altName.kind === "hosts" ? hostNames(hosts) : [];
      const { hwType } = item.subject.kind === "device" ? item.subject : {};
      const device = hwType === undefined ? {} : { hwType };
      const common = { authority, profile, subject, publicKey, hosts: names, policies: [ANY_POLICY] };
      return { ...common, ...device, requester: caller.name };
    } catch (error) {
      return { message: reasonOf(error) };
    }
  });
  const fit = orders.flatMap((order) => ("profile" in order ? [order] : []));
  const issued = await pki.authorities.issueAll(fit).catch(async (error: unknown) => {
    if (!(error instanceof PkiError)) throw error;
    if (fit.length === 1) return [{ message: reasonOf(error) }];
    // One of them spoils the batch: each is tried alone.
    const each: (Certificate | { readonly message: string })[] = [];
    for (const order of fit)
      each.push(await pki.authorities.issue(order).catch((cause: unknown) => ({ message: reasonOf(cause) })));
    return each;
  });
  let next = 0;
  const results = orders.map((order) => {
    const result = "profile" in order ? issued[next++]! : order;
    return "octets" in result
      ? ({ kind: "issued", certificate: result.octets } as const)
      : ({ kind: "refused", message: result.message } as const);
  });
  return { results };
}

/** What is kept of a one-time password: it has 128 random bits, so that nobody guesses it from this. */
export function passwordHash(name: string, password: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(`meterkeep-enrolment-1/${name}/${password}`).digest());
}

function assignmentsView(current: Awaited<ReturnType<Pki["assignments"]>>) {
  if (current === undefined) return { number: 0, issuedAt: undefined, rows: [] };
  const { number, issuedAt, rows } = current.table;
  return {
    number,
    issuedAt: issuedAt.getTime(),
    rows: rows.map(({ authority, name, ranges }) => ({
      authority: toHex(authority),
      name,
      ranges: ranges.map(({ first, last }) => ({ first: toHex(first), last: toHex(last) })),
    })),
  };
}

function bounded(limit: number): number {
  return Math.max(1, Math.min(limit, MAX_PAGE_CERTIFICATES));
}

/** Without what was not asked for. */
function defined<T extends object>(query: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as never;
}

function reasonOf(error: unknown): string {
  if (error instanceof PkiError) return `${error.message.slice(0, MOST_CHARACTERS)} [${error.code}]`;
  if (error instanceof DlmsError) return error.message.slice(0, MOST_CHARACTERS);
  throw error;
}

const MOST_CHARACTERS = 448;

/** The same service: what the PKI refuses is a refusal of the call. */
function refusing(service: PkiService): PkiService {
  const wrapped = Object.entries(service).map(([name, call]: [string, unknown]) => [
    name,
    async (...args: unknown[]) => {
      try {
        return await (call as (...all: unknown[]) => Promise<unknown>)(...args);
      } catch (error) {
        if (!(error instanceof PkiError)) throw error;
        throw new CallRefusal("pki-refused", `${error.message} [${error.code}]`, { cause: error });
      }
    },
  ]);
  return Object.fromEntries(wrapped) as PkiService;
}
