import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LedgerDraft, LedgerEntry } from "@meterkeep/ledger";
import {
  type Certificate,
  type CertificateProfile,
  localSigner,
  makeRequest,
  memoryPkiStore,
  type PkiStore,
  PROFILES,
  type PublicKey,
  type Signer,
} from "@meterkeep/pki";
import { enrolByPassword } from "../pki/est/enrolment.ts";
import { openPki, type Pki, type PkiOptions } from "../pki/open-pki.ts";
import { pkiLedgerOfEntries } from "../pki/pki-ledger.ts";
import { passwordHash } from "../pki/pki-service.ts";
import { openTrustJournal, type TrustJournal } from "../pki/trust-journal.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { type OpenedVault, openVault, type VaultSource } from "../vault/open-vault.ts";

/** A PKI over a store and a vault, with the ledger as a list and a clock set by hand. */
export interface TestPki {
  pki: Pki;
  now: number;
  /** Meters that are enrolled an hour. */
  pace: number | undefined;
  readonly store: PkiStore;
  readonly ledger: LedgerDraft[];
  readonly folder: string;
  /** Refuses what the ledger is told, from now on. */
  isLedgerFull: boolean;
  /** The process as it comes up again, on another store where one is given, and with another view of its journal. */
  reopen(store?: PkiStore, journalAs?: (journal: TrustJournal) => TrustJournal): Promise<void>;
}

export const PLACE = { utility: "stadtwerke", island: "mainland" } as const;

/** Opens a PKI for a test, with a development tree unless told. */
export async function withTestPki(
  body: (test: TestPki) => Promise<void>,
  change: {
    readonly store?: PkiStore;
    readonly vault?: VaultSource;
    readonly options?: PkiOptions;
    /** What should not happen is expected, and stands in the ledger. */
    readonly isForgiving?: boolean;
  } = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-pki-"));
  const custody = memoryCustodyStore();
  const source = change.vault ?? ({ kind: "file", path: join(folder, "root.key") } as const);
  const opened: OpenedVault = await openVault(custody, source, 0);
  const test: Omit<TestPki, "pki"> & { pki: Pki | undefined } = {
    pki: undefined,
    now: Date.UTC(2026, 10, 21),
    pace: undefined,
    store: change.store ?? memoryPkiStore(),
    ledger: [],
    folder,
    isLedgerFull: false,
    reopen: async (store = test.store, journalAs = (journal) => journal) => {
      test.pki = await openPki({
        store,
        installation: custody.installation,
        opened,
        committer: {
          submit: async ({ entries = [] }) => {
            if (test.isLedgerFull) throw new Error("the ledger is full");
            test.ledger.push(...entries);
          },
        },
        ledger: {
          size: async () => test.ledger.length,
          ofKinds: async (kinds) =>
            test.ledger.map((draft, at) => ledgerRow(draft, at + 1)).filter(({ kind }) => kinds.includes(kind)),
          read: async (after, limit) =>
            test.ledger.slice(after, after + limit).map((draft, at) => ledgerRow(draft, after + at + 1)),
        },
        orders: pkiLedgerOfEntries(() => test.ledger),
        journal: journalAs(await openTrustJournal(folder, opened.vault)),
        options: change.options ?? { developmentTree: PLACE, limits: { "line-1": 1_000_000 } },
        now: () => test.now,
        pace: async () => test.pace,
        onFailure: (error) => {
          if (change.isForgiving !== true) throw error;
        },
      });
    },
  };
  try {
    await test.reopen();
    await body(test as TestPki);
  } finally {
    await opened.close();
    rmSync(folder, { recursive: true });
  }
}

/** An entry as a ledger gives it back. */
function ledgerRow({ body, ...draft }: LedgerDraft, sequence: number): LedgerEntry {
  return { ...draft, body: JSON.stringify(body), sequence } as unknown as LedgerEntry;
}

/** A fresh key pair: who signs with it, and its public half. */
export function freshKey(curve: "P-256" | "P-384" = "P-256"): Signer & { readonly publicKey: PublicKey } {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: curve });
  const { x, y } = privateKey.export({ format: "jwk" }) as { x: string; y: string };
  const point = new Uint8Array(Buffer.concat([Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]));
  return localSigner(privateKey, { curve, point });
}

/** A system title of the tests' maker. */
export function testTitle(number: number): Uint8Array {
  const title = Uint8Array.from([0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, 0]);
  new DataView(title.buffer).setUint32(4, number);
  return title;
}

export const serialText = (): string => randomBytes(16).toString("hex");

/** The certificate of a meter's key for signing, ordered by a line in production. */
export async function issueMeter({ pki }: TestPki, number: number): Promise<Certificate> {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const profile = PROFILES.get("dlms-suite-1-signature") as CertificateProfile;
  const order = { authority, profile, subject: { systemTitle: testTitle(number) }, requester: "line-1" };
  return pki.authorities.issue({ ...order, publicKey: freshKey().publicKey });
}

/** A worker on another machine, enrolled with a password that somebody made for it. */
export async function enrolWorker({ pki, now }: TestPki, name: string): Promise<Certificate> {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const subject = JSON.stringify({ names: { CN: name }, hosts: [] });
  const password = {
    name,
    authority,
    profile: "worker",
    subject,
    madeBy: "person",
    madeAt: now,
    endsAt: now + 3_600_000,
  };
  await pki.store.passwords.add({ ...password, hash: passwordHash(name, "secret"), usedAt: undefined });
  return enrolByPassword(pki, { name, password: "secret" }, makeRequest(freshKey(), []));
}
