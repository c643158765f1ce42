import { fromHex } from "@meterkeep/dlms";
import { type AssignmentRecord, type IslandCut, type RevocationPlan, shardOf } from "@meterkeep/pki";
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
  /** Authorities have their MACs: one without is refused, whatever the database says of when it was made. */
  isBound = false;
  /** Plans, revocations and roles have their lines: a row without one is somebody else's. */
  areRowsBound = false;
  table = 0;
  /** The newest table with its octets, where its line has them. */
  tableRecord: AssignmentRecord | undefined;
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

  add(line: TrustLine): void {
    switch (line.kind) {
      case undefined:
        for (const serial of line.serials) this.#revoke({ ...line, serial, revokedAt: line.at });
        return;
      case "held":
        if (!this.plans.has(line.plan.id)) this.plans.set(line.plan.id, { ...line.plan, serial: line.plan.serial });
        return;
      case "moved": {
        const { stage, state, finished } = line;
        this.place(line.plan, { stage, state, finished });
        return;
      }
      case "withdrawn":
        this.place(line.plan, { state: "withdrawn" });
        return;
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
        if (line.number < this.table) return;
        this.table = line.number;
        this.tableRecord =
          line.octets === undefined
            ? undefined
            : { number: line.number, octets: new Uint8Array(Buffer.from(line.octets, "base64")), addedAt: line.at };
        return;
      case "certified":
        for (const serial of line.serials) this.#profiles.set(`${line.authority}/${serial}`, line.profile);
        return;
      case "authorities-bound":
        this.isBound = true;
        return;
      case "rows-bound":
        this.areRowsBound = true;
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

  #revoke({ authority, serial, revokedAt, reason }: SaidRevocation): void {
    this.#said.add(authority, `${serial}/${revokedAt}/${reason}`);
    if (!this.#revoked.add(authority, serial)) return;
    const name = `${authority}/${shardOf(fromHex(serial))}`;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}
