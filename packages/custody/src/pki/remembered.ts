import { fromHex } from "@meterkeep/dlms";
import { type AssignmentRecord, type IslandCut, type ListRecord, type RevocationPlan, shardOf } from "@meterkeep/pki";
import { type ListKind, listKind, listName } from "./list-name.ts";
import { SerialSet } from "./serial-set.ts";
import type { TrustLine } from "./trust-journal.ts";

/** A revocation as a row, or a line, says it. */
interface SaidRevocation {
  readonly authority: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly revokedAt: number;
  readonly reason: string | undefined;
}

/** What the journal says, as this process has it. */
export class Remembered {
  readonly #revoked = new SerialSet();
  /** The same once more, each with when and why. */
  readonly #said = new SerialSet();
  /** How many of an authority are revoked, by shard of its lists. */
  readonly #counts = new Map<string, number>();
  /** Plans by their ids, as they stand. */
  readonly plans = new Map<string, RevocationPlan>();
  readonly used = new Set<string>();
  /** What certificates are for that do not say so, by authority and serial number. */
  readonly #profiles = new Map<string, string>();
  readonly #subjects = new Map<string, string>();
  /** The newest lists of authorities in drawers, by authority, shard and kind. */
  readonly #lists = new Map<string, ListRecord>();
  readonly #lostKeys = new SerialSet();
  /** Revocations that are to free meters. */
  readonly freeing = new Set<string>();
  /** How far into the ledger the journal has followed it: nought where nothing is known of that. */
  followed = 0;
  /** How often lines are gone from the journal. */
  breaks = 0;
  /** When a plan was last put where it is. */
  readonly placedAt = new Map<string, number>();
  /** The newest table of assignments. */
  table: AssignmentRecord | undefined;
  /** The number of the newest that was signed, where that is not there any more. */
  signedTable = 0;
  #cuts: IslandCut[] = [];

  get cuts(): readonly IslandCut[] {
    return this.#cuts;
  }

  isRevoked(authority: string, serial: string): boolean {
    return this.#revoked.has(authority, serial);
  }

  /** Whether a line says just that. */
  says({ authority, serial, revokedAt, reason }: SaidRevocation): boolean {
    return this.#said.has(authority, `${serial}/${revokedAt}/${reason}`);
  }

  /** How many of an authority are revoked in a shard. */
  revokedIn(authority: string, shard: number): number {
    return this.#counts.get(`${authority}/${shard}`) ?? 0;
  }

  /** What a certificate is for that does not say so itself; undefined where it was not ordered as one of those. */
  profileOf(authority: string, serial: string): string | undefined {
    return this.#profiles.get(`${authority}/${serial}`);
  }

  /** Whom a certificate is for that does not say what it is for. */
  subjectOf(authority: string, serial: string): string | undefined {
    return this.#subjects.get(`${authority}/${serial}`);
  }

  /** Those of which a line says that their subject begins so, by authority. */
  subjectsLike(beginning: string): ReadonlyMap<string, readonly string[]> {
    const found = new Map<string, string[]>();
    for (const [name, subject] of this.#subjects) {
      if (!subject.startsWith(beginning)) continue;
      const [authority, serial] = name.split("/") as [string, string];
      const serials = found.get(authority);
      if (serials === undefined) found.set(authority, [serial]);
      else serials.push(serial);
    }
    return found;
  }

  /** The newest list that was adopted; undefined where none was. */
  listOf(authority: string, shard: number, kind: ListKind): ListRecord | undefined {
    return this.#lists.get(listName(authority, shard, kind));
  }

  /** Whether a key was lost, by any of its identifiers. */
  isLost(key: string): boolean {
    return this.#lostKeys.has("key", key);
  }

  /** Lines are gone at this place: what the journal said of how far it has followed holds no more. */
  break(): void {
    this.breaks += 1;
    this.followed = 0;
  }

  add(line: TrustLine): void {
    switch (line.kind) {
      case undefined:
        for (const serial of line.serials) this.#revoke({ ...line, serial, revokedAt: line.at });
        return;
      case "held":
        if (this.plans.has(line.plan.id)) return;
        this.plans.set(line.plan.id, { ...line.plan, serial: line.plan.serial });
        this.placedAt.set(line.plan.id, line.at);
        return;
      case "moved": {
        const { stage, state, finished } = line;
        this.place(line.plan, { stage, state, finished });
        this.placedAt.set(line.plan, line.at);
        return;
      }
      case "cut": {
        const { plan, at } = line;
        const isThere = ({ utility, island }: Pick<IslandCut, "utility" | "island">) =>
          this.#cuts.some((one) => one.plan === plan && one.utility === utility && one.island === island);
        for (const place of line.places) if (!isThere(place)) this.#cuts.push({ plan, ...place, cutAt: at });
        return;
      }
      case "lifted":
        this.#cuts = this.#cuts.filter(({ plan }) => plan !== line.plan);
        return;
      case "table":
        if (line.number < (this.table?.number ?? 0)) return;
        this.table = {
          number: line.number,
          octets: new Uint8Array(Buffer.from(line.octets, "base64")),
          addedAt: line.at,
        };
        return;
      case "certified":
        for (const [at, serial] of line.serials.entries()) {
          const name = `${line.authority}/${serial}`;
          this.#profiles.set(name, line.profile);
          const subject = line.subjects?.[at];
          if (subject !== undefined) this.#subjects.set(name, subject);
        }
        return;
      case "listed":
        this.#list(line);
        return;
      case "keys-lost":
        for (const key of line.keys) this.#lostKeys.add("key", key);
        return;
      case "to-free":
        this.freeing.add(line.plan);
        return;
      case "followed":
        if (line.breaks === this.breaks) this.followed = line.sequence;
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

  /** Where a plan stands, without a line: how far a stage has come is remembered by its row. */
  place(id: string, place: Partial<Pick<RevocationPlan, "stage" | "state" | "finished">>): void {
    const plan = this.plans.get(id);
    if (plan !== undefined) this.plans.set(id, { ...plan, ...place });
  }

  #list({
    authority,
    shard,
    number,
    since,
    thisUpdate,
    nextUpdate,
    octets,
  }: Extract<TrustLine, { kind: "listed" }>): void {
    const name = listName(authority, shard, listKind(since));
    const known = this.#lists.get(name);
    if (known !== undefined && known.number >= BigInt(number)) return;
    this.#lists.set(name, {
      authority,
      shard,
      number: BigInt(number),
      since: since === undefined ? undefined : BigInt(since),
      thisUpdate,
      nextUpdate,
      octets: new Uint8Array(Buffer.from(octets, "base64")),
    });
  }

  #revoke({ authority, serial, revokedAt, reason }: SaidRevocation): void {
    this.#said.add(authority, `${serial}/${revokedAt}/${reason}`);
    if (!this.#revoked.add(authority, serial)) return;
    const name = `${authority}/${shardOf(fromHex(serial))}`;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}
