import { createHash } from "node:crypto";
import { equalBytes, fromHex, toHex } from "@meterkeep/dlms";
import type { LedgerEntry, LedgerReads } from "@meterkeep/ledger";
import {
  type AssignmentRecord,
  type AuthorityRecord,
  decodeCertificate,
  type EnrolmentPassword,
  type IslandCut,
  type PkiStore,
  type PlanState,
  type Registry,
  type RevocationPlan,
  replayRevocations,
} from "@meterkeep/pki";
import { sameMac } from "../records/record-mac.ts";
import type { InstallationRecords } from "../store/store.ts";
import { boundData } from "../vault/key-place.ts";
import type { Vault } from "../vault/vault.ts";
import { SerialSet } from "./serial-set.ts";
import { revocationsOf, type TrustJournal, type TrustLine } from "./trust-journal.ts";

/** The row by which installations of before the journal said so know that their authorities are bound. */
const ADOPTED = "authentic-authorities-1";

/** What a store is bound with. */
export interface BindingParts {
  readonly store: PkiStore;
  readonly vault: Pick<Vault, "authenticate" | "unsealNamed">;
  readonly installation: Pick<InstallationRecords, "namedSecret">;
  readonly journal: TrustJournal;
  readonly ledger: Pick<LedgerReads, "ofKinds">;
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
  /** Gives the database back what somebody took out of it; how many revocations that were. */
  mend(): Promise<number>;
}

/**
 * Whoever owns the database of the PKI can write into it what they like, and nobody here is impressed: authorities and
 * one-time passwords carry a MAC of the vault over all they say; what only ever grows (what was revoked, who is held, which
 * islands are cut, which passwords were used, the number of the table) is asked of the journal beside the database as well,
 * which this process has in memory.
 */
export async function bindStore({
  store,
  vault,
  installation,
  ledger,
  journal,
  onRefused,
  onRevoked,
  now,
}: BindingParts): Promise<BoundStore> {
  const trust = new Remembered();
  const strange: number[] = [];
  for await (const line of journal.read((number) => strange.push(number))) trust.add(line);
  if (strange.length > 0)
    await onRefused(`revocations.jsonl: lines ${strange.slice(0, 10).join(", ")} were not written by this vault`);
  const told = new Set<string>();
  const refuse = async (what: string): Promise<void> => {
    if (told.has(what)) return;
    told.add(what);
    await onRefused(what);
  };
  const write = async (line: TrustLine): Promise<void> => {
    await journal.append(line);
    trust.add(line);
  };
  if (!trust.isBound) {
    await adopt({ registry: store.registry, vault, installation, ledger, refuse });
    await write({ kind: "authorities-bound", at: now() });
  }
  const hold = async (plan: RevocationPlan): Promise<void> => {
    // What was taken back before its line was written holds nobody.
    if (plan.state === "withdrawn") return;
    if (plan.serial === undefined && !trust.held.has(plan.id)) await write({ kind: "held", at: plan.plannedAt, plan });
  };
  // The process before may have died between the row and its line.
  for (const plan of await store.plans.list()) await hold(plan);
  /** Whether the plan of an authority was taken back is what the journal says; how far it is, what the row says. */
  const stateOf = (id: string, said: PlanState): PlanState => {
    if (!trust.held.has(id)) return said;
    if (trust.withdrawn.has(id)) return "withdrawn";
    return said === "withdrawn" ? "stopped" : said;
  };
  const revokeAgain: Registry["revokeAgain"] = async (authority, serials, at, reason) => {
    const again = await store.registry.revokeAgain(authority, serials, at, reason);
    if (again > 0) onRevoked?.(authority, serials);
    return again;
  };
  /** What the journal has, once more. */
  const replay = async (): Promise<number> => {
    const authorities = () => store.registry.authorities();
    return replayRevocations({ authorities, revokeAgain }, revocationsOf(journal.read(() => undefined)));
  };
  const mend = async (): Promise<number> => {
    const known = new Set((await store.plans.list()).map(({ id }) => id));
    for (const plan of trust.held.values())
      if (!known.has(plan.id)) {
        await refuse(`the plan of revocation ${plan.id} was taken out of the database`);
        await store.plans.add({ ...plan, state: stateOf(plan.id, "stopped") });
      }
    for (const plan of await store.plans.list())
      if (trust.withdrawn.has(plan.id) && plan.state !== "withdrawn")
        await store.plans.move(plan.id, plan, { ...plan, state: "withdrawn" });
    if ((await store.registry.revokedCount()) >= trust.revoked.size) return 0;
    const again = await replay();
    if (again > 0) await onRefused(`${again} certificates were un-revoked in the database`);
    return again;
  };
  const { registry, passwords, plans, assignments, answers } = store;
  const isUnrevoked = (one: { readonly authority: string; readonly serial: string; readonly revokedAt?: unknown }) =>
    one.revokedAt === undefined && trust.revoked.has(one.authority, one.serial);
  /** Reads certificates; where one is not revoked that was, it is, and they are read again. */
  const checked = async <T extends Parameters<typeof isUnrevoked>[0]>(read: () => Promise<readonly T[]>) => {
    const found = await read();
    if (!found.some(isUnrevoked)) return found;
    const again = await replay();
    if (again > 0) await onRefused(`${again} certificates were un-revoked in the database`);
    return read();
  };
  return {
    get newestTable() {
      return trust.table;
    },
    remember: write,
    mend,
    registry: {
      ...registry,
      addAuthority: async (record) => registry.addAuthority(await withMac(vault, record, authorityText)),
      authorities: async () => {
        const all = await registry.authorities();
        const macs = await vault.authenticate(all.map(authorityText));
        const sound = all.filter((record, at) => sameMac(record.mac, macs[at]));
        for (const { authority, name } of all)
          if (!sound.some((one) => one.authority === authority))
            await refuse(`authority ${authority} (${name}) was not made here, or was changed`);
        return sound;
      },
      find: async (authority, serial) =>
        (await checked(async () => [(await registry.find(authority, serial)) ?? []].flat()))[0],
      findAll: (authority, serials) => checked(() => registry.findAll(authority, serials)),
      page: (authority, after, now, limit) => checked(() => registry.page(authority, after, now, limit)),
      search: (query, now) => checked(() => registry.search(query, now)),
      revokeAgain: async (authority, serials, at, reason) => {
        const fresh = serials.filter((serial) => !trust.revoked.has(authority, serial));
        if (fresh.length > 0) await write({ at, authority, reason, serials: fresh });
        return revokeAgain(authority, serials, at, reason);
      },
      isRevoked: async (authority, serial) =>
        trust.revoked.has(authority, serial) || (await registry.isRevoked(authority, serial)),
    },
    assignments: {
      // The row of the newest table may be missing: its process died before it wrote it, or the database is an older one.
      newest: async () => {
        const row = await assignments.newest();
        const kept = trust.tableRecord;
        if (kept === undefined || (row !== undefined && (row.number > kept.number || isSameTable(row, kept))))
          return row;
        await refuse(`table ${kept.number} of assignments was not in the database, or another was in its place`);
        if (row?.number !== kept.number) await assignments.add(kept);
        return kept;
      },
      add: async (record) => {
        const octets = Buffer.from(record.octets).toString("base64");
        await write({ kind: "table", at: record.addedAt, number: record.number, octets });
        await assignments.add(record);
      },
    },
    // Each is signed: who reads one verifies it, and holds it against what was revoked.
    answers,
    passwords: {
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
        if (trust.used.has(name)) {
          await refuse(`password ${name.slice(0, 16)} of ${found.name} was made good again after its use`);
          return undefined;
        }
        await write({ kind: "password-used", at, hash: name });
        return found;
      },
      giveBack: async (hash, at) => {
        const name = toHex(hash);
        if (!trust.used.has(name)) return;
        await write({ kind: "password-returned", at, hash: name });
        await passwords.giveBack(hash, at);
      },
    },
    plans: {
      ...plans,
      add: async (plan) => {
        await plans.add(plan);
        await hold(plan);
      },
      list: async () => {
        const rows = await plans.list();
        // What was planned does not change, whatever a row says; how far it is, does.
        const sound = rows.map((row): RevocationPlan => {
          const { stage, state, finished } = row;
          const planned = trust.held.get(row.id);
          const serial = planned ? undefined : row.serial;
          return { ...row, ...planned, serial, stage, state: stateOf(row.id, state), finished };
        });
        const gone = [...trust.held.values()].filter(({ id }) => !rows.some((row) => row.id === id));
        return [...sound, ...gone.map((plan) => ({ ...plan, state: stateOf(plan.id, "stopped") }))];
      },
      move: async (id, from, to) => {
        // Who lost against somebody else has moved nothing: the journal forgets no line.
        const row = (await plans.list()).find((one) => one.id === id);
        if (row?.stage !== from.stage || row.state !== from.state) return false;
        // First what counts: a row that says otherwise is mended.
        if (to.state === "withdrawn" && trust.held.has(id)) await write({ kind: "withdrawn", at: now(), plan: id });
        return plans.move(id, from, to);
      },
      cut: async (plan, places, at) => {
        await plans.cut(plan, places, at);
        await write({ kind: "cut", at, plan, places: places.map(({ utility, island }) => ({ utility, island })) });
      },
      lift: async (plan, at) => {
        await write({ kind: "lifted", at, plan });
        await plans.lift(plan, at);
      },
      cuts: async () => {
        const rows = (await plans.cuts()).filter(({ plan }) => !trust.lifted.has(plan));
        const gone = trust.cuts.filter(
          (cut) =>
            !rows.some((row) => row.plan === cut.plan && row.utility === cut.utility && row.island === cut.island),
        );
        return [...rows, ...gone];
      },
    },
  };
}

/** What the journal says, as this process has it. */
class Remembered {
  readonly revoked = new SerialSet();
  /** Plans for whole authorities, by their ids. */
  readonly held = new Map<string, RevocationPlan>();
  readonly lifted = new Set<string>();
  readonly withdrawn = new Set<string>();
  readonly used = new Set<string>();
  /** Authorities have their MACs: one without is refused, whatever the database says of when it was made. */
  isBound = false;
  table = 0;
  /** The newest table with its octets, where its line has them. */
  tableRecord: AssignmentRecord | undefined;
  #cuts: IslandCut[] = [];

  get cuts(): readonly IslandCut[] {
    return this.#cuts;
  }

  add(line: TrustLine): void {
    switch (line.kind) {
      case undefined:
        for (const serial of line.serials) this.revoked.add(line.authority, serial);
        return;
      case "held":
        this.held.set(line.plan.id, line.plan);
        return;
      case "cut":
        this.#cuts.push(...line.places.map((place) => ({ plan: line.plan, ...place, cutAt: line.at })));
        return;
      case "lifted":
        this.lifted.add(line.plan);
        this.#cuts = this.#cuts.filter(({ plan }) => plan !== line.plan);
        return;
      case "table":
        if (line.number < this.table) return;
        this.table = line.number;
        this.tableRecord =
          line.octets === undefined
            ? undefined
            : { number: line.number, octets: new Uint8Array(Buffer.from(line.octets, "base64")), addedAt: line.at };
        return;
      case "withdrawn":
        this.withdrawn.add(line.plan);
        return;
      case "authorities-bound":
        this.isBound = true;
        return;
      case "password-used":
        this.used.add(line.hash);
        return;
      case "password-returned":
        this.used.delete(line.hash);
        return;
      default:
        line satisfies never;
    }
  }
}

/**
 * Authorities from before they were bound get their MACs, once in the life of an installation: those of which the ledger
 * has the making, by certificate, key, name, profile, place and parent. The ledger is witnessed, the database is not.
 */
async function adopt({
  registry,
  vault,
  installation,
  ledger,
  refuse,
}: Pick<BindingParts, "vault" | "installation" | "ledger"> & {
  readonly registry: Pick<Registry, "authorities" | "bindAuthority">;
  readonly refuse: (what: string) => Promise<void>;
}): Promise<void> {
  const done = await installation.namedSecret(ADOPTED);
  if (done !== undefined) {
    // Opens under this vault only: a row somebody else has put there means nothing.
    (await vault.unsealNamed(ADOPTED, done))[Symbol.dispose]();
    return;
  }
  const unbound = (await registry.authorities()).filter(({ mac }) => mac === undefined);
  if (unbound.length === 0) return;
  const made = new Set((await ledger.ofKinds(["authority-made"])).map(madeText));
  const macs = await vault.authenticate(unbound.map(authorityText));
  for (const [at, one] of unbound.entries())
    if (made.has(recordText(one))) await registry.bindAuthority(one.authority, macs[at]!);
    else await refuse(`the ledger has no making of authority ${one.authority} (${one.name})`);
}

/** What the ledger said when it was made, with all that its certificate says. */
function recordText({ authority, name, profile, parent, keyName, utility, island, certificate }: AuthorityRecord) {
  const digest = createHash("sha256").update(decodeCertificate(certificate).toBeSigned).digest("hex");
  return JSON.stringify([authority, name, profile, parent ?? null, keyName, utility, island, digest]);
}

function madeText({ body, utility, island }: LedgerEntry): string {
  const { authority, name, profile, parent, keyName, toBeSigned } = JSON.parse(body) as Readonly<Partial<Made>>;
  return JSON.stringify([authority, name, profile, parent ?? null, keyName, utility, island, toBeSigned]);
}

type Made = Pick<AuthorityRecord, "authority" | "name" | "profile" | "parent" | "keyName"> & { toBeSigned: string };

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
    "meterkeep-record-1/authority",
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
