import { randomBytes } from "node:crypto";
import type { SystemTitle } from "@meterkeep/dlms";
import type { LedgerReads } from "@meterkeep/ledger";
import {
  type AssignmentIndex,
  type AssignmentTable,
  Authorities,
  type AuthorityRecord,
  type Certificate,
  type CertificateRecord,
  type CertificateUse,
  type Examination,
  examineCertificate,
  type LostKeys,
  type OpenAuthority,
  PkiError,
  type PkiStore,
  Publisher,
  replayRevocations,
  StagedRevocations,
  signAssignments,
} from "@meterkeep/pki";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Committer } from "../store/committer.ts";
import type { InstallationRecords } from "../store/store.ts";
import type { OpenedVault } from "../vault/open-vault.ts";
import { AssignmentDesk, isScheme } from "./assignment-desk.ts";
import { AuthorityKeys } from "./authority-keys.ts";
import { bindStore } from "./bound-store.ts";
import { makeDevelopmentTree, type TreePlace } from "./development-tree.ts";
import { type LedgerReplay, replayLedger } from "./ledger-replay.ts";
import type { PkiLedger } from "./pki-ledger.ts";
import { soundCertificate } from "./sound-certificate.ts";
import { Standing, type StandingSubject } from "./standing.ts";
import { revocationsOf, type TrustJournal } from "./trust-journal.ts";

/** How the PKI of a custodian is kept. */
export interface PkiOptions {
  /** What relying parties reach lists and answers under: goes into certificates of authorities and of TLS. No slash at its end. */
  readonly address?: string | undefined;
  /** Make a whole tree for this place where there is none. */
  readonly developmentTree?: TreePlace | undefined;
  /** Certificates that requesters may order a day, by name; 1 000 for everybody else. */
  readonly limits?: Readonly<Record<string, number>> | undefined;
}

/** What the PKI of a custodian is opened with. */
export interface PkiParts {
  readonly store: PkiStore;
  readonly installation: Pick<InstallationRecords, "namedSecret" | "insertNamedSecret">;
  readonly opened: Pick<OpenedVault, "vault" | "signing">;
  readonly committer: Pick<Committer, "submit">;
  readonly ledger: Pick<LedgerReads, "read" | "size" | "ofKinds">;
  /** What was ever ordered, by the same ledger. */
  readonly orders: PkiLedger;
  /** Where what nobody may take back is kept beside the database. */
  readonly journal: TrustJournal;
  readonly options: PkiOptions;
  readonly now: () => number;
  /** Meters that are enrolled an hour, as measured. */
  readonly pace: () => Promise<number | undefined>;
  readonly onFailure: (error: unknown) => void;
}

/** How often the registry is held against what was ever revoked. */
const MEND_MILLISECONDS = 3_600_000;
/** Certificates a sweep whose answers are looked at: of a million each within the hours that an answer is good for. */
const LOOKED_AT_A_SWEEP = 1_000;
const DEFAULT_ADDRESS = "http://localhost:8420/pki";
/** Production lines and rotations of a whole fleet have their own limits; who is in no list has this one. */
const DEFAULT_LIMIT = 1_000;

/** The PKI of a custodian: authorities with keys in the vault, what they published, and who may speak for which device. */
export interface Pki {
  readonly store: PkiStore;
  readonly keys: AuthorityKeys;
  readonly authorities: Authorities;
  readonly publisher: Publisher;
  readonly revocations: StagedRevocations;
  readonly address: string;
  /** What was done before: how much one person did alone today, for example. */
  readonly ledger: Pick<LedgerReads, "ofKinds" | "read" | "size">;
  /** What was ever ordered, whatever became of its row. */
  readonly orders: PkiLedger;
  /** Keys that somebody has lost. */
  readonly lostKeys: LostKeys;
  readonly now: () => number;
  /** Judges a certificate of a peer: what speaks against it stands in the ledger when an authority stepped outside its table. */
  examine(octets: Uint8Array, usage: CertificateUse, device?: SystemTitle): Promise<Examination>;
  /** What speaks against a certificate of the registry, by its whole chain; undefined where it stands. */
  doubt(certificate: StandingSubject): Promise<string | undefined>;
  /** Which authority was revoked by the one above it, this one or one above it; undefined where all of its line stand. */
  fallen(authority: string): Promise<string | undefined>;
  /** The certificate of a row, where it is what its authority signed; else it is told, and undefined. */
  sound(record: CertificateRecord): Promise<Certificate | undefined>;
  /** The authority that issues for meters of a place, on a curve; the newest where there are several. @throws PkiError `authority-unknown` */
  issuerFor(place: TreePlace, curve: "P-256" | "P-384"): Promise<AuthorityRecord>;
  /** The table that counts now. */
  assignments(): Promise<{ readonly table: AssignmentTable; readonly index: AssignmentIndex } | undefined>;
  /** Signs a new table with the scheme's key. @throws PkiError `assignment-refused` */
  assign(rows: AssignmentTable["rows"], principal: string): Promise<AssignmentTable>;
  /** Whether any island is cut. */
  isAnyCut(): boolean;
  /** Whether an island is cut. */
  isCut(place: TreePlace): boolean;
  /** Calls back with what is revoked from now on, until it is disposed of. */
  onRevoked(hear: (authority: string, serials: readonly string[]) => void): Disposable;
  /** Writes an entry of the PKI to the ledger. */
  record(kind: string, principal: string, body: Readonly<Record<string, unknown>>): Promise<void>;
  /** Holds the registry against the whole ledger, and revokes again what it has as not revoked. */
  replay(): Promise<LedgerReplay>;
  /** Goes on with revocations that run; to be called every few seconds. */
  tend(): Promise<void>;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/** Opens the PKI of a custodian: what was revoked stays revoked, whatever database was put back. */
export async function openPki(parts: PkiParts): Promise<Pki> {
  const { committer, options, now, onFailure, journal } = parts;
  const address = options.address ?? DEFAULT_ADDRESS;
  const addressOf = (authority: string, shard: number) => `${address}/crl/${authority}/${shard}.crl`;
  const keys = new AuthorityKeys(parts.opened.vault, parts.installation, parts.opened.signing);
  const record = (kind: string, principal: string, body: Readonly<Record<string, unknown>>) =>
    committer.submit({ entries: [installationEntry(now(), kind, principal, body)] });
  const hearers = new Set<(authority: string, serials: readonly string[]) => void>();
  /** Whoever keeps something that a revocation takes back hears of it, by whatever way it came. */
  const tell = (authority: string, serials: readonly string[]): void => {
    for (const hear of hearers) hear(authority, serials);
  };
  const store = await bindStore({
    store: parts.store,
    vault: parts.opened.vault,
    ledger: parts.ledger,
    orders: parts.orders,
    journal,
    now,
    onRevoked: (authority, serials) => tell(authority, serials),
    onRefused: async (what) => {
      onFailure(new Error(what));
      // A ledger that is halted takes nothing; the row is refused all the same.
      await record("record-refused", "custodian", { code: "row-not-bound", message: what }).catch(onFailure);
    },
  });
  const table = new AssignmentDesk(store, async () => (await authorities.all()).filter(isScheme));
  const assignments = async () => (await table.current())?.index;
  const authorities: Authorities = new Authorities({
    registry: store.registry,
    signerOf: (keyName) => keys.open(keyName),
    record: (entries) => committer.submit({ entries: [...entries] }),
    orders: parts.orders,
    lostKeys: store.lostKeys,
    onRevoked: tell,
    random: (count) => new Uint8Array(randomBytes(count)),
    now,
    limitOf: (requester) => options.limits?.[requester] ?? DEFAULT_LIMIT,
    assignments,
    heldBy: (line) => revocations.heldBy(line),
    addressOf,
  });
  const newId = () => randomBytes(6).toString("hex");
  const revocations: StagedRevocations = new StagedRevocations({
    store,
    authorities,
    record,
    newId,
    now,
    pace: parts.pace,
    orders: parts.orders,
  });
  const deltaAddressOf = (authority: string, shard: number) => `${address}/crl/${authority}/${shard}-delta.crl`;
  const publishing = { addressOf, deltaAddressOf, now, onFailure };
  const publisher: Publisher = new Publisher(authorities, store, publishing);
  const standing = new Standing({ authorities, registry: store.registry, assignments });
  hearers.add((authority, serials) => {
    standing.forget(authority, serials);
    for (const serial of serials) publisher.forget(authority, serial);
  });
  await replayRevocations(store.registry, revocationsOf(journal.read(() => undefined)));
  await store.mend();
  let mendedAt = now();
  const addTable = (octets: Uint8Array, number: number) => table.add(octets, number, now());
  if (options.developmentTree !== undefined && (await authorities.all()).length === 0)
    await makeDevelopmentTree({ authorities, keys, publisher, addTable, addressOf, now }, options.developmentTree);
  let cuts = await store.plans.cuts();
  let tending: Promise<void> | undefined;
  /** Something was moved since the round under way began: it may have looked already. */
  let isWanted = false;
  const tendOnce = async (): Promise<void> => {
    do {
      isWanted = false;
      if (now() - mendedAt > MEND_MILLISECONDS) {
        mendedAt = now();
        await store.mend();
      }
      try {
        while (await revocations.work());
      } finally {
        // One that cannot go on keeps nobody else waiting.
        cuts = await store.plans.cuts();
        await publisher.signAhead(LOOKED_AT_A_SWEEP);
      }
    } while (isWanted);
  };
  return {
    store,
    keys,
    authorities,
    publisher,
    revocations,
    address,
    ledger: parts.ledger,
    orders: parts.orders,
    lostKeys: store.lostKeys,
    now,
    onFailure,
    onRevoked: (hear) => {
      hearers.add(hear);
      return { [Symbol.dispose]: () => void hearers.delete(hear) };
    },
    record,
    examine: async (octets, usage, device) => {
      const ports = { authorities, registry: store.registry, assignments, now };
      const found = await examineCertificate(ports, octets, usage, device);
      if (!found.isTrusted && found.problem === "assignment-violated") {
        const body = { objection: found.message, certificate: Buffer.from(octets).toString("base64") };
        await record("assignment-violated", "custodian", body);
      }
      return found;
    },
    doubt: (certificate) => standing.doubt(certificate),
    fallen: (authority) => standing.fallen(authority),
    sound: async (one) => {
      const issuer = (await authorities.all()).find(({ authority }) => authority === one.authority);
      const found = issuer && soundCertificate(one, issuer);
      if (found === undefined && one.octets !== undefined)
        await store.refuse(`the octets of certificates of authority ${one.authority} were changed in the database`);
      return found;
    },
    issuerFor: async (place, curve) => {
      const fitting = (await authorities.all()).filter((one) => isIssuerOf(one, place, curve));
      for (const one of fitting.toReversed()) {
        const line = (await authorities.lineOf(one.authority)).map(({ authority }) => authority);
        if ((await revocations.heldBy(line)) !== undefined) continue;
        if ((await standing.fallen(one.authority)) === undefined) return one;
      }
      throw new PkiError("authority-unknown", `no authority issues for ${place.utility}/${place.island} on ${curve}`);
    },
    assignments: () => table.current(),
    assign: async (rows, principal) => {
      const { record: scheme, key } = await openScheme(authorities);
      const number = table.nextNumber;
      const content = { number, issuedAt: new Date(Math.floor(now() / 1000) * 1000), rows };
      const octets = await signAssignments(key, content);
      await record("assignments-signed", principal, { number, authority: scheme.authority, rows: rows.length });
      await addTable(octets, number);
      return content;
    },
    replay: async () => {
      const lines = revocationsOf(journal.read(() => undefined));
      const found = await replayLedger({ ledger: parts.ledger, journal: lines, registry: store.registry });
      await record("registry-replayed", "operator", { ...found });
      return found;
    },
    isAnyCut: () => cuts.length > 0,
    isCut: ({ utility, island }) => cuts.some((one) => one.utility === utility && one.island === island),
    tend: () => {
      isWanted = true;
      // One at a time.
      tending ??= tendOnce().finally(() => {
        tending = undefined;
      });
      return tending;
    },
  };
}

/** Whether an authority is there to issue for the meters of a place on a curve, held or not. */
export function isIssuerOf(
  { profile, utility, island }: Pick<AuthorityRecord, "profile" | "utility" | "island">,
  place: TreePlace,
  curve: "P-256" | "P-384",
): boolean {
  const wanted = curve === "P-256" ? "issuing-p256" : "issuing-p384";
  return profile === wanted && utility === place.utility && island === place.island;
}

/** The newest scheme's authority that stands and whose key is here: it signs tables of assignments. */
async function openScheme(authorities: Authorities): Promise<OpenAuthority> {
  let refusal: unknown = new PkiError("authority-unknown", "there is no scheme authority yet");
  for (const { authority } of (await authorities.all()).filter(isScheme).toReversed())
    try {
      return await authorities.openStanding(authority);
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      refusal = error;
    }
  throw refusal;
}
