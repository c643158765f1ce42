import { LedgerError } from "@meterkeep/ledger";
import { type MigrationSource, readMigrations } from "@meterkeep/postgres";
import type { Pool } from "pg";

/** What can be asked of a database. */
type Asked = Pick<Pool, "query">;

/**
 * Says whether a database answers by more than the rows of its tables: with row level security, rules, views, tables below others,
 * computed columns, and functions and operators of somebody's own it can answer one question otherwise than another, and triggers run
 * in the custodian's own session. Only what the migrations have made is allowed, to the letter.
 *
 * Whoever can load code into the database server is not kept from anything by this.
 */
export class ForeignRules {
  readonly #tables: readonly string[];
  /** Name and text of each function that a migration has made. */
  readonly #functions: ReadonlySet<string>;

  private constructor(tables: readonly string[], functions: ReadonlySet<string>) {
    this.#tables = tables;
    this.#functions = functions;
  }

  static async of(sources: readonly MigrationSource[]): Promise<ForeignRules> {
    const migrations = (await Promise.all(sources.map(readMigrations))).flat();
    const functions = migrations.flatMap(({ sql }) =>
      [...sql.matchAll(FUNCTION)].map(([, name, body]) => `${name} ${body}`),
    );
    return new ForeignRules(
      sources.flatMap(({ grants = {} }) => Object.keys(grants)),
      new Set(functions),
    );
  }

  /** @throws LedgerError `ledger-under-rules` where there is something that no migration has made */
  async require(database: Asked): Promise<void> {
    const found = await this.#in(database);
    if (found.length === 0) return;
    const more = found.length - MOST_NAMED;
    const which = [...found.slice(0, MOST_NAMED), ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
    throw new LedgerError(
      "ledger-under-rules",
      `the custodian's database can answer otherwise than by what is stored: ${which}. Whoever owns it has made that; nothing that is read through it is believed until it is gone`,
    );
  }

  async #in(database: Asked): Promise<readonly string[]> {
    // Without an operator in it: those below mean PostgreSQL's own only where nothing comes before its schema.
    const path = await database.query<{ path: string }>("select pg_catalog.current_setting('search_path') as path");
    if (/pg_catalog|pg_temp/.test(path.rows[0]?.path ?? "")) return [`the search path ${path.rows[0]?.path}`];
    const told = await database.query<{ what: string }>(RULES, [[...this.#tables], USED_OPERATORS, USED_FUNCTIONS]);
    const known = new Set([...this.#functions].map((one) => one.slice(0, one.indexOf(" "))));
    const made = await database.query<{ name: string; body: string; plain: boolean }>(FUNCTIONS, [
      [...this.#tables],
      [...known],
    ]);
    const others = made.rows.filter(({ name, body, plain }) => !plain || !this.#functions.has(`${name} ${body}`));
    return [...told.rows.map(({ what }) => what), ...others.map(({ name }) => `the function ${name}`)];
  }
}

const MOST_NAMED = 8;

/** As they stand in migrations: the name, and the text between the dollars. */
const FUNCTION = /create (?:or replace )?function (\w+)\s*\([^$]*?\$\$([^$]*)\$\$/g;

/** By which it is decided what counts: one of another schema on the path may fit better than PostgreSQL's own. */
const USED_OPERATORS: readonly string[] = [
  "=",
  "<>",
  "<",
  ">",
  "<=",
  ">=",
  "<@",
  "@>",
  "&&",
  "->",
  "->>",
  "~~",
  "~",
  "||",
  "+",
  "-",
  "*",
];
const USED_FUNCTIONS: readonly string[] = [
  ...["json_build_array", "jsonb_build_array", "json_agg", "jsonb_agg", "jsonb_array_elements_text", "unnest"],
  ...["encode", "decode", "upper", "left", "octet_length", "sha256"],
  ...["count", "max", "min", "sum", "bool_or", "array_agg"],
];

const OWN =
  "own as (select c.* from pg_catalog.unnest($1::text[]) as wanted(name) join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(name))";

// A function on which something of PostgreSQL's own depends is in no list of dependencies: each that is found is somebody's.
const RULES = `
  with ${OWN}, places as (select oid from pg_catalog.pg_namespace where nspname = any(pg_catalog.current_schemas(false)))
  select 'table ' || relname || ' is none' as what from own where relkind <> 'r'
  union all select 'row level security of ' || relname from own where relrowsecurity or relforcerowsecurity
  union all select 'rule ' || rulename || ' of ' || relname from pg_catalog.pg_rewrite r join own on own.oid = r.ev_class
  union all select 'a table above or below ' || relname from own
    where exists (select from pg_catalog.pg_inherits where inhparent = own.oid or inhrelid = own.oid)
  union all select 'column ' || attname || ' of ' || relname from pg_catalog.pg_attribute a
    join own on own.oid = a.attrelid join pg_catalog.pg_type t on t.oid = a.atttypid
    where not attisdropped and (attgenerated <> '' or typnamespace <> 'pg_catalog'::pg_catalog.regnamespace)
  union all select 'function ' || proname || ' that table ' || own.relname || ' is checked or indexed by'
    from pg_catalog.pg_depend d join pg_catalog.pg_proc p
      on d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.refobjid = p.oid
    left join pg_catalog.pg_constraint k on d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and d.objid = k.oid
    left join pg_catalog.pg_attrdef f on d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid
    left join pg_catalog.pg_index i on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = i.indexrelid
    join own on own.oid = coalesce(k.conrelid, f.adrelid, i.indrelid)
  union all select 'operator ' || oprname from pg_catalog.pg_operator
    where oprnamespace in (select oid from places) and oprname = any($2::text[])
  union all select 'function ' || proname from pg_catalog.pg_proc
    where pronamespace in (select oid from places) and proname = any($3::text[])
  union all select 'event trigger ' || evtname from pg_catalog.pg_event_trigger where evtevent = 'login'
  order by what`;

// Those by which triggers of these tables are carried out, whatever they are called, and those of our names.
const FUNCTIONS = `
  with ${OWN}
  select proname as name, prosrc as body, lanname in ('plpgsql', 'sql') and prosqlbody is null
      and proconfig is not distinct from (case when prosecdef then array['search_path=public, pg_temp'] end) as plain
    from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
    where p.oid in (select tgfoid from pg_catalog.pg_trigger t join own on own.oid = t.tgrelid where not tgisinternal)
      or (proname = any($2::text[]) and pronamespace in (
        select oid from pg_catalog.pg_namespace where nspname = any(pg_catalog.current_schemas(false))))
    order by name`;
