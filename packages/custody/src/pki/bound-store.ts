import { equalBytes, fromHex, toHex } from "@meterkeep/dlms";
import type { LedgerReads } from "@meterkeep/ledger";
import {
  type AssignmentRecord,
  type AuthorityRecord,
  type EnrolmentPassword,
  type LostKeys,
  PkiError,
  type PkiStore,
  type Registry,
} from "@meterkeep/pki";
import { sameMac } from "../records/record-mac.ts";
import { boundData } from "../vault/key-place.ts";
import type { Vault } from "../vault/vault.ts";
import { bindLists } from "./bound-lists.ts";
import { bindPlans, type PlanParts } from "./bound-plans.ts";
import { bindRegistry } from "./bound-registry.ts";
import { followLedger, markFollowed } from "./followed-ledger.ts";
import type { PkiLedger } from "./pki-ledger.ts";
import { Remembered } from "./remembered.ts";
import type { TrustJournal, TrustLine } from "./trust-journal.ts";

/** What a store is bound with. */
export interface BindingParts {
  readonly store: PkiStore;
  readonly vault: Pick<Vault, "authenticate">;
  readonly journal: TrustJournal;
  readonly ledger: Pick<LedgerReads, "ofKinds" | "read" | "size">;
  readonly orders: PkiLedger;
  /** A row was not believed; said once for each. */
  readonly onRefused: (what: string) => Promise<void>;
  readonly now: () => number;
  /** What was revoked again, by whatever way: an adopted list, the ledger, the journal. */
  readonly onRevoked?: (authority: string, serials: readonly string[]) => void;
}

/** A store of which no row is believed that says what nobody here wrote, or takes back what was written. */
export interface BoundStore extends PkiStore {
  /** The number of the newest table of assignments that was ever signed; 0 where none is remembered. */
  readonly newestTable: number;
  /** Remembers what is not to be taken back: in the journal, and in this process. */
  remember(line: TrustLine): Promise<void>;
  /** Tells of a row that was not believed, once. */
  refuse(what: string): Promise<void>;
  /** Keys that were lost, by lines of the journal. */
  readonly lostKeys: LostKeys;
  /** Gives the database back what somebody took out of it; how many revocations that were. */
  mend(): Promise<number>;
}

/**
 * Whoever owns the database of the PKI can write into it what they like, and nobody here is impressed: authorities and
 * one-time passwords carry a MAC of the vault over all they say; plans of revocation and how they stand, what was revoked,
 * when and why, which islands are cut, which passwords were used, the number of the table, and what certificates are for that
 * do not say so, are asked of the journal beside the database, which this process has in memory: a row without a line counts
 * nowhere.
 */
export async function bindStore(parts: BindingParts): Promise<BoundStore> {
  const { store, vault, ledger, orders, journal, onRefused, onRevoked, now } = parts;
  const trust = new Remembered();
  const strange: number[] = [];
  const gone: number[] = [];
  const lines = journal.read(
    (number) => strange.push(number),
    ({ line }) => {
      gone.push(line);
      trust.break();
    },
  );
  for await (const line of lines) trust.add(line);
  if (strange.length > 0)
    await onRefused(`revocations.jsonl: lines ${strange.slice(0, 10).join(", ")} were not written by this vault`);
  if (gone.length > 0)
    await onRefused(`revocations.jsonl: lines are gone, or moved, before lines ${gone.slice(0, 10).join(", ")}`);
  const told = new Set<string>();
  const refuse = async (what: string): Promise<void> => {
    if (told.has(what)) return;
    told.add(what);
    await onRefused(what);
  };
  const write = async (...lines: readonly TrustLine[]): Promise<void> => {
    await journal.append(...lines);
    for (const line of lines) trust.add(line);
  };
  const lostKeys: LostKeys = {
    add: async (keys) => {
      const fresh = keys.map(shortKey).filter((key) => !trust.isLost(key));
      if (fresh.length > 0) await write({ kind: "keys-lost", at: now(), keys: fresh });
    },
    has: (key) => trust.isLost(shortKey(key)),
  };
  const following = {
    ledger,
    orders,
    assignments: store.assignments,
    trust,
    write,
    addLost: lostKeys.add,
    refuse,
    now,
  };
  await followLedger(following);
  const authorities: Registry["authorities"] = async () => {
    const all = await store.registry.authorities();
    const macs = await vault.authenticate(all.map(authorityText));
    const sound = all.filter((record, at) => sameMac(record.mac, macs[at]));
    for (const { authority, name } of all)
      if (!sound.some((one) => one.authority === authority))
        await refuse(`authority ${authority} (${name}) was not made here, or was changed`);
    return sound;
  };
  const { assignments, answers } = store;
  /** The journal has it already: a row that somebody has put in its place stops nothing. */
  const put = async (record: AssignmentRecord): Promise<void> => {
    try {
      await assignments.add(record);
    } catch (error) {
      if (!(error instanceof PkiError) || error.code !== "serial-taken") throw error;
    }
  };
  const bound = { trust, write, refuse, now };
  const { mend: mendPlans, ...plans } = bindPlans({ plans: store.plans, journal, orders, ...bound });
  const { mend: mendLists, ...lists } = await bindLists({ registry: store.registry, authorities, ledger, ...bound });
  const { mend: mendRegistry, ...certificates } = bindRegistry({
    registry: store.registry,
    journal,
    orders,
    authorities,
    onRefused,
    onRevoked,
    ...bound,
  });
  return {
    get newestTable() {
      return Math.max(trust.table?.number ?? 0, trust.signedTable);
    },
    remember: write,
    refuse,
    lostKeys,
    mend: async () => {
      await markFollowed(following);
      await mendPlans();
      await mendLists();
      return mendRegistry();
    },
    registry: {
      ...store.registry,
      ...certificates,
      ...lists,
      addAuthority: async (record) => store.registry.addAuthority(await withMac(vault, record, authorityText)),
      authorities,
    },
    plans,
    assignments: {
      // The row of the newest table may be missing: its process died before it wrote it, or the database is an older one.
      newest: async () => {
        const row = await assignments.newest();
        const kept = trust.table;
        if (kept === undefined || (row !== undefined && isSameTable(row, kept))) return row;
        await refuse(
          row !== undefined && row.number > kept.number
            ? `table ${row.number} of assignments was not made here: ${kept.number} is the newest`
            : `table ${kept.number} of assignments was not in the database, or another was in its place`,
        );
        await put(kept);
        return kept;
      },
      add: async (record) => {
        const octets = Buffer.from(record.octets).toString("base64");
        await write({ kind: "table", at: record.addedAt, number: record.number, octets });
        await put(record);
      },
    },
    // Each is signed: who reads one verifies it, and holds it against what was revoked.
    answers,
    passwords: boundPasswords(store.passwords, { vault, ...bound }),
  };
}

/** The short identifier of a key, whichever identifier is given (RFC 5280 clause 4.2.1.2): 0100 and the last 60 bits of its SHA-1. */
function shortKey(identifier: string): string {
  return `4${identifier.slice(-15)}`;
}

/** One-time passwords with a MAC over all they say, and their use in the journal. */
function boundPasswords(
  passwords: PkiStore["passwords"],
  { vault, trust, write, refuse }: Pick<BindingParts, "vault"> & Pick<PlanParts, "trust" | "write" | "refuse">,
): PkiStore["passwords"] {
  /** Those of which the line is being written: whoever comes meanwhile is late. */
  const taking = new Set<string>();
  return {
    add: async (password) => passwords.add(await withMac(vault, password, passwordText)),
    take: async (hash, at) => {
      const found = await passwords.take(hash, at);
      if (found === undefined) return undefined;
      const [mac] = await vault.authenticate([passwordText(found)]);
      const name = toHex(found.hash);
      if (!sameMac(found.mac, mac)) {
        await refuse(`password ${name.slice(0, 16)} of ${found.name} was not made here, or was changed`);
        return undefined;
      }
      if (found.endsAt <= at) {
        await refuse(`password ${name.slice(0, 16)} of ${found.name} was given by the database after its end`);
        return undefined;
      }
      if (trust.used.has(name) || taking.has(name)) {
        await refuse(`password ${name.slice(0, 16)} of ${found.name} was made good again after its use`);
        return undefined;
      }
      taking.add(name);
      try {
        await write({ kind: "password-used", at, hash: name });
      } finally {
        taking.delete(name);
      }
      return found;
    },
    giveBack: async (hash, at) => {
      const name = toHex(hash);
      if (!trust.used.has(name)) return;
      await write({ kind: "password-returned", at, hash: name });
      await passwords.giveBack(hash, at);
    },
  };
}

function isSameTable(one: AssignmentRecord, other: AssignmentRecord): boolean {
  return one.number === other.number && equalBytes(one.octets, other.octets);
}

async function withMac<T>(
  vault: Pick<Vault, "authenticate">,
  record: T,
  textOf: (record: T) => Uint8Array,
): Promise<T & { readonly mac: Uint8Array }> {
  const [mac] = await vault.authenticate([textOf(record)]);
  return { ...record, mac: mac! };
}

function authorityText(record: AuthorityRecord): Uint8Array {
  return boundData(
    "meterkeep-record-1/certificate-authority",
    fromHex(record.authority),
    record.utility,
    record.island,
    record.name,
    record.profile,
    record.parent === undefined ? "" : fromHex(record.parent),
    record.keyName,
    record.certificate,
    String(record.createdAt),
  );
}

/** Everything but when it was used, which the journal has. */
function passwordText(password: EnrolmentPassword): Uint8Array {
  return boundData(
    "meterkeep-record-1/enrolment-password",
    password.hash,
    password.name,
    fromHex(password.authority),
    password.profile,
    password.subject,
    password.madeBy,
    String(password.madeAt),
    String(password.endsAt),
  );
}
