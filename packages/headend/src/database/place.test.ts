import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openHeadEndDatabase } from "../testing/database.ts";

const SOURCE = fileURLToPath(new URL("..", import.meta.url));
/** A text in the source: a template or a string in double quotes. */
const TEXTS = /`(?:[^`\\]|\\.)*`|"(?:[^"\\\n]|\\.)*"/gs;

/** Parts of statements that have a name, and where a statement uses one. */
const NAMED = /\bconst ([A-Z_]+)(?:: string)? = (`(?:[^`\\]|\\.)*`|"(?:[^"\\\n]|\\.)*")/gs;
const USED = /\$\{([A-Z_]+)\}/g;
/** How a statement says its place: by the columns, or by the parameters that are first everywhere. */
const PLACED = /\butility_id\b|(?:values \(|select )\$1, \$2\b/;

/** Every text in the source that speaks SQL to one of the tables, whole, and where it stands. */
function statements(tables: readonly string[]): readonly { readonly file: string; readonly sql: string }[] {
  const spoken = new RegExp(`\\b(?:from|into|update|join|copy)\\s+(?:${tables.join("|")})\\b`);
  const files = globSync("**/*.ts", { cwd: SOURCE })
    .filter((file) => !file.endsWith(".test.ts") && !file.startsWith("testing/"))
    .map((file) => ({ file, text: readFileSync(`${SOURCE}/${file}`, "utf8") }));
  const named = (text: string) => new Map([...text.matchAll(NAMED)].map(([, name = "", part = ""]) => [name, part]));
  const everywhere = named(files.map(({ text }) => text).join("\n"));
  return files.flatMap(({ file, text }) => {
    const here = named(text);
    const whole = (sql: string, depth = 0): string =>
      depth > 3
        ? sql
        : sql.replace(USED, (_, name: string) => whole(here.get(name) ?? everywhere.get(name) ?? "", depth + 1));
    const texts = (text.match(TEXTS) ?? []).filter((one) => spoken.test(one));
    return texts.map((sql) => ({ file, sql: whole(sql) }));
  });
}

test("every table belongs to a utility and an island, and every statement of the head-end says which", async () => {
  await using database = await openHeadEndDatabase(0);
  const { rows } = await database.pool.query<{ table: string; placed: boolean }>(
    `select c.relname as table, exists (select from pg_attribute a
       where a.attrelid = c.oid and a.attname = 'utility_id' and a.attnotnull) as placed
     from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1`,
  );
  const unplaced = rows.filter(({ placed }) => !placed).map(({ table }) => table);
  assert.deepEqual(
    unplaced.filter((table) => !table.startsWith("ledger") && table !== "schema_migration"),
    [],
  );
  // The places themselves are found by name.
  const places = ["utilities", "islands"];
  const placed = rows.filter((row) => row.placed && !places.includes(row.table)).map(({ table }) => table);
  const found = statements(placed);
  assert.ok(found.length > 50, `${found.length} statements are found`);
  assert.deepEqual(
    found.filter(({ sql }) => !PLACED.test(sql)),
    [],
  );
});
