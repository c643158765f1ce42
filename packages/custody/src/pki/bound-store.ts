import { equalBytes, fromHex, toHex } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import {
  type AssignmentRecord,
  type AuthorityRecord,
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

/** From when authorities are bound: one without a MAC is refused afterwards. */
const ADOPTED = "authentic-authorities-1";

/** What a store is bound with. */
export interface BindingParts {
  readonly store: PkiStore;
  readonly vault: Pick<Vault, "authenticate" | "sealNamed" | "unsealNamed">;
  readonly installation: Pick<InstallationRecords, "namedSecret" | "insertNamedSecret">;
  readonly journal: TrustJournal;
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
  await adopt(store.registry, vault, installation);
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

/** Authorities from before they were bound get their MACs, once in the life of an installation. */
async function adopt(
  registry: Pick<Registry, "authorities" | "bindAuthority">,
  vault: BindingParts["vault"],
  installation: BindingParts["installation"],
): Promise<void> {
  const done = await installation.namedSecret(ADOPTED);
  if (done !== undefined) {
    // Opens under this vault only: a row somebody else has put there means nothing.
    (await vault.unsealNamed(ADOPTED, done))[Symbol.dispose]();
    return;
  }
  const unbound = (await registry.authorities()).filter(({ mac }) => mac === undefined);
  const macs = await vault.authenticate(unbound.map(authorityText));
  for (const [at, { authority }] of unbound.entries()) await registry.bindAuthority(authority, macs[at]!);
  using secret = SecretKey.random(16);
  await installation.insertNamedSecret(ADOPTED, await vault.sealNamed(ADOPTED, secret));
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
