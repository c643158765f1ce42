import type { BlastRadius, Refusal, RuleList } from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import {
  commandRulesOf,
  MC_RULES,
  RULE_IDS,
  requireCanonical,
  ruleWords,
  type Thresholds,
  thresholds,
} from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import { reachOf } from "./blast.ts";
import type { FleetCensus } from "./fleet-census.ts";
import { POLICY_SERVICE_NAME, type PolicyKey } from "./policy-key.ts";
import type { Holding } from "./proposal.ts";
import { type HeardRefusals, lastRefusals } from "./refusals.ts";

export interface GuardViewPorts {
  readonly sql: Sql;
  readonly scope: Scope;
  readonly census: FleetCensus;
  readonly custodian: Pick<Custodian, "authorityState" | "fieldReport" | "authorities" | "revocationEffect">;
  readonly policy: PolicyKey;
  /** What was refused elsewhere. */
  readonly heard: Pick<HeardRefusals, "last">;
  now(): number;
}

/** A site that is never switched off. */
export interface KeptSite {
  readonly meter: string;
  readonly kind: string;
  readonly note: string;
  readonly setBy: string;
  readonly setAt: string;
}

/** What holds now: the rules with their numbers, the register of protected sites, and how far anybody reaches. */
export class GuardView {
  readonly #ports: GuardViewPorts;

  constructor(ports: GuardViewPorts) {
    this.#ports = ports;
  }

  get publicKey(): string {
    return this.#ports.policy.publicKey;
  }

  /** The thresholds that the custodian holds to, and whether it is frozen. @throws where it does not answer */
  async holding(): Promise<Holding> {
    const { thresholds: written, frozen, trouble, breakGlass } = await this.#ports.custodian.authorityState({});
    // Giving back does not wait for a clock.
    const isDoubt = trouble?.code === "clock-behind" || trouble?.code === "clock-doubted";
    return {
      thresholds: requireCanonical(written, thresholds, "the custodian's thresholds") as Thresholds,
      frozen: frozen === undefined ? (isDoubt ? undefined : trouble?.message) : `${frozen.reason} (${frozen.by})`,
      clockDoubt: isDoubt ? trouble?.message : undefined,
      capsLifted: breakGlass !== undefined,
    };
  }

  /** Where people sign. */
  async page(): Promise<string | undefined> {
    const { page } = await this.#ports.custodian.authorityState({});
    return page === "" ? undefined : page;
  }

  async isEnrolled(): Promise<boolean> {
    const { policyServices } = await this.#ports.custodian.authorityState({});
    return policyServices.some(({ name }) => name === POLICY_SERVICE_NAME);
  }

  async rules(): Promise<RuleList> {
    const { sql, scope, census, now, custodian, heard } = this.#ports;
    const { frozen } = await custodian.authorityState({});
    const { thresholds: present } = await this.holding();
    const homes = (await census.parts()).reduce((sum, { meters }) => sum + meters, 0);
    const rowed = await lastRefusals(sql, scope, now(), commandRulesOf(present).wakeUpsPerDay);
    return {
      rules: RULE_IDS.map((id) => {
        const last = newest(rowed.get(id), heard.last.get(id));
        const { releasable } = MC_RULES[id];
        return { ...ruleWords(id, present, homes), releasable, ...(last !== undefined && { last }) };
      }),
      ...(frozen !== undefined && {
        frozen: { since: new Date(frozen.since).toISOString(), by: frozen.by, reason: frozen.reason },
      }),
    };
  }

  async protectedSites(): Promise<readonly KeptSite[]> {
    const { sql, scope } = this.#ports;
    const found = await rows<SiteRow>(sql, `${SITES} order by m.system_title`, [...scope.place]);
    return found.map(siteOf);
  }

  /** Puts a site on the register, or says anew what it is. @throws HeadEndError `meter-unknown` */
  async protect(site: { readonly meter: string; readonly kind: string; readonly note: string; readonly by: string }) {
    const { sql, scope, now } = this.#ports;
    const row = await firstRow<{ meter_id: number }>(
      sql,
      `insert into protected_sites (utility_id, island_id, meter_id, kind, note, set_by, set_at)
       select $1, $2, meter_id, $4, $5, $6, $7 from meters
       where utility_id = $1 and island_id = $2 and system_title = decode($3, 'hex')
       on conflict (utility_id, island_id, meter_id) do nothing returning meter_id`,
      [...scope.place, site.meter, site.kind, site.note, site.by, new Date(now())],
    );
    const kept = await firstRow<SiteRow>(sql, `${SITES} and m.system_title = decode($3, 'hex')`, [
      ...scope.place,
      site.meter,
    ]);
    if (row === undefined && kept === undefined)
      throw new HeadEndError("meter-unknown", `there is no meter ${site.meter} on this island`);
    return siteOf(kept as SiteRow);
  }

  async blastRadius(): Promise<BlastRadius> {
    const { sql, scope, custodian, now } = this.#ports;
    const [{ thresholds: present }, authority, field, { authorities }] = await Promise.all([
      this.holding(),
      custodian.authorityState({}),
      custodian.fieldReport({}),
      custodian.authorities({}),
    ]);
    const standing = authorities.filter(({ state }) => state === "standing");
    const certified = new Map(
      await Promise.all(
        standing.map(async ({ authority: id }): Promise<[string, number]> => {
          const { meters } = await custodian.revocationEffect({ authority: id, serial: undefined });
          return [id, meters];
        }),
      ),
    );
    return reachOf({ sql, scope, now: now(), thresholds: present, authority, field, authorities, certified });
  }
}

/** RFC 3339 in UTC sorts as text. */
function newest(one: Refusal | undefined, other: Refusal | undefined): Refusal | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.at > other.at ? one : other;
}

interface SiteRow {
  readonly title: string;
  readonly kind: string;
  readonly note: string;
  readonly set_by: string;
  readonly set_at: Date;
}

const SITES = `
  select upper(encode(m.system_title, 'hex')) as title, p.kind, p.note, p.set_by, p.set_at
  from protected_sites p join meters m using (utility_id, island_id, meter_id)
  where p.utility_id = $1 and p.island_id = $2`;

function siteOf({ title, kind, note, set_by, set_at }: SiteRow): KeptSite {
  return { meter: title, kind, note, setBy: set_by, setAt: set_at.toISOString() };
}
