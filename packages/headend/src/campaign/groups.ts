import type { MeterGroup, MeterGroupList } from "@meterkeep/api";
import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type SqlPool } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";

interface GroupsPorts {
  readonly pool: SqlPool;
  readonly scope: Scope;
  now(): number;
}

/** Meters under a name, to be commanded together: what people approve is always the list that a group was when it was asked. */
export class MeterGroups {
  readonly #ports: GroupsPorts;

  constructor(ports: GroupsPorts) {
    this.#ports = ports;
  }

  async list(): Promise<readonly MeterGroup[]> {
    const { pool, scope } = this.#ports;
    return (await rows<Row>(pool, `${GROUPS} group by 1, 2, 3, 4 order by 1`, [...scope.place])).map(groupOf);
  }

  /** What meters have in common: by each of these they can be selected, the most frequent first. */
  async kinds(): Promise<MeterGroupList["kinds"]> {
    const { pool, scope } = this.#ports;
    return (await rows<KindRow>(pool, KINDS, [...scope.place, MOST_KINDS])).map((row) => ({
      ...row,
      meters: Number(row.meters),
    }));
  }

  /**
   * Makes a group, or says anew who is in it; with `more` they come to those who are. It is done whole or not at all.
   *
   * @throws HeadEndError `meter-unknown` where one of them is none of this island's
   */
  async put(group: {
    readonly name: string;
    readonly meters: readonly string[];
    readonly note: string;
    readonly more: boolean;
    readonly by: string;
  }): Promise<MeterGroup> {
    const { pool, scope, now } = this.#ports;
    const { name, note, more, by } = group;
    const meters = [...new Set(group.meters)];
    return inTransaction(pool, async (sql) => {
      await sql.query(
        `insert into meter_groups (utility_id, island_id, name, note, set_by, set_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (utility_id, island_id, name) do update set note = excluded.note, set_by = excluded.set_by,
           set_at = excluded.set_at`,
        [...scope.place, name, note, by, new Date(now())],
      );
      if (!more) await sql.query(REMOVE_MEMBERS, [...scope.place, name]);
      const titles = meters.map((title) => Buffer.from(title, "hex"));
      const known = await firstRow<{ count: string }>(
        sql,
        "select count(*) from meters where utility_id = $1 and island_id = $2 and system_title = any($3::bytea[])",
        [...scope.place, titles],
      );
      const unknown = meters.length - Number(known?.count ?? 0);
      if (unknown > 0) throw new HeadEndError("meter-unknown", `${unknown} of these are no meters of this island`);
      await sql.query(
        `insert into meter_group_members (utility_id, island_id, name, meter_id)
         select $1, $2, $3, meter_id from meters
         where utility_id = $1 and island_id = $2 and system_title = any($4::bytea[]) on conflict do nothing`,
        [...scope.place, name, titles],
      );
      const row = await firstRow<Row>(sql, `${GROUPS} and g.name = $3 group by 1, 2, 3, 4`, [...scope.place, name]);
      return groupOf(row as Row);
    });
  }

  /** @throws HeadEndError `group-unknown` */
  async remove(name: string): Promise<void> {
    const { pool, scope } = this.#ports;
    const gone = await pool.query("delete from meter_groups where utility_id = $1 and island_id = $2 and name = $3", [
      ...scope.place,
      name,
    ]);
    if (gone.rowCount !== 1) throw new HeadEndError("group-unknown", `there is no group ${JSON.stringify(name)}`);
  }
}

/** Nobody chooses from a longer list. */
const MOST_KINDS = 2000;

interface KindRow extends Omit<MeterGroupList["kinds"][number], "meters"> {
  readonly meters: string;
}

const KINDS = `
  select k.kind, k.id, case when k.kind = 'feeder' then coalesce(min(f.name), k.id) else k.id end as name, count(*) as meters
  from meters m
  cross join lateral (values ('feeder', m.feeder_id), ('transformer', m.transformer_id), ('profile', m.profile),
    ('model', m.model), ('firmware', m.firmware)) as k(kind, id)
  left join feeders f on (f.utility_id, f.island_id, f.feeder_id) = (m.utility_id, m.island_id, m.feeder_id)
  where m.utility_id = $1 and m.island_id = $2 and m.role in ('home', 'transformer') and k.id is not null
  group by 1, 2 order by 1, 4 desc, 2 limit $3`;

interface Row {
  readonly name: string;
  readonly note: string;
  readonly set_by: string;
  readonly set_at: Date;
  readonly meters: string;
}

const REMOVE_MEMBERS = "delete from meter_group_members where utility_id = $1 and island_id = $2 and name = $3";

const GROUPS = `
  select g.name, g.note, g.set_by, g.set_at, count(m.meter_id) as meters
  from meter_groups g left join meter_group_members m using (utility_id, island_id, name)
  where g.utility_id = $1 and g.island_id = $2`;

function groupOf({ name, note, set_by, set_at, meters }: Row): MeterGroup {
  return { name, note, meters: Number(meters), setBy: set_by, setAt: set_at.toISOString() };
}
