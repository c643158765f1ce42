import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import { quantityWords } from "./words.ts";

/** The numbers of channels: an interval row carries two octets instead of an OBIS code and a unit. */
export class ChannelTable {
  readonly #sql: Sql;
  readonly #scope: Scope;
  readonly #numbers = new Map<string, number>();

  constructor(sql: Sql, scope: Scope) {
    this.#sql = sql;
    this.#scope = scope;
  }

  /** Makes sure that every channel has its number. */
  async prepare(channels: readonly { readonly obis: string; readonly unit: string }[]): Promise<void> {
    const unknown = new Map<string, { obis: string; unit: string }>();
    for (const { obis, unit } of channels)
      if (!this.#numbers.has(key(obis, unit))) unknown.set(key(obis, unit), { obis, unit });
    if (unknown.size === 0) return;
    const news = [...unknown.values()];
    await this.#sql.query(ADD_CHANNELS, [
      ...this.#scope.place,
      news.map(({ obis }) => obis),
      news.map(({ obis }) => quantityWords(obis)),
      news.map(({ unit }) => unit),
    ]);
    const known = await rows<{ channel_id: number; obis: string; unit: string }>(
      this.#sql,
      "select channel_id, obis, unit from channels where utility_id = $1 and island_id = $2",
      [...this.#scope.place],
    );
    for (const row of known) this.#numbers.set(key(row.obis, row.unit), row.channel_id);
  }

  /** The number of a prepared channel. */
  number(obis: string, unit: string): number {
    const number = this.#numbers.get(key(obis, unit));
    if (number === undefined) throw new Error(`channel ${obis} in ${unit} was not prepared`);
    return number;
  }
}

function key(obis: string, unit: string): string {
  return `${obis} ${unit}`;
}

const ADD_CHANNELS = `
  insert into channels (utility_id, island_id, channel_id, obis, name, unit)
  select $1, $2, (select coalesce(max(channel_id), 0) from channels where utility_id = $1 and island_id = $2)
    + row_number() over (), n.obis, n.name, n.unit
  from unnest($3::text[], $4::text[], $5::text[]) as n(obis, name, unit)
  on conflict (utility_id, island_id, obis, unit) do nothing`;
