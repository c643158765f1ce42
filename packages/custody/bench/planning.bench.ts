/**
 * `npm run bench -- planning [--meters N]`: what a policy's look at N meters of two security setups each takes, by age and by count, while
 * nobody, a hundred or everybody is due, and what pages and contacts ask beside that.
 */
import { loadavg } from "node:os";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import pg from "pg";
import { enrolmentsIn } from "../src/store/postgres-enrolments.ts";
import { rotationsIn } from "../src/store/postgres-rotations.ts";
import { CUSTODY_MIGRATIONS } from "../src/store/postgres-store.ts";
import { ALL_PURPOSES } from "../src/store/rotation-cause.ts";
import { addPlannedFleet, ageKeys, useCounters } from "../src/testing/planned-fleet.ts";

const MADE = 1_795_000_000_000;
const DAY = 86_400_000;
const METERS = Number(process.argv[process.argv.indexOf("--meters") + 1]) || 200_000;
const SOME = 100;
/** What the custodian plans at a look (rotation/rotations.ts). */
const LIMIT = 5000;
const COUNT_LIMIT = 2 ** 31;
/** Over the limit under the key in use alone. */
const USED = COUNT_LIMIT + 10_000;

await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
  const admin = new pg.Client({ connectionString: adminUrl });
  // A database that goes because something failed ends this connection too.
  admin.on("error", () => undefined);
  await admin.connect();
  const rotations = rotationsIn(pool);
  const timed = async (what: string, ask: () => Promise<unknown>): Promise<void> => {
    const began = performance.now();
    const said = await ask();
    const seconds = (performance.now() - began) / 1000;
    const load = loadavg()[0]?.toFixed(0);
    console.log(`${what.padEnd(44)} ${seconds.toFixed(3)} s (load ${load})  ${JSON.stringify(said)}`);
  };
  const common = { meters: [], setups: "each", purposes: ALL_PURPOSES, plannedBy: "policy", at: MADE + DAY } as const;
  const byAge = () =>
    rotations.plan({ ...common, madeBefore: MADE - DAY, countAbove: undefined, cause: "age", risk: 0, limit: LIMIT });
  const byCount = () =>
    rotations.plan({
      ...common,
      madeBefore: undefined,
      countAbove: COUNT_LIMIT,
      cause: "count",
      risk: 100,
      limit: LIMIT,
    });
  const renewals = () =>
    enrolmentsIn(pool).plan({
      ...{
        meters: [],
        cause: "renewal",
        profiles: ["idis-p2"],
        risk: 0,
        plannedBy: "policy",
        at: MADE + DAY,
        limit: LIMIT,
      },
      enrolledBefore: MADE - DAY,
      endingBefore: MADE + DAY,
    });
  const forget = () => admin.query("delete from rotations where ended_ms is null");
  console.log(`${METERS} meters of two security setups each`);
  await timed("rows written", () => addPlannedFleet(admin, { meters: METERS, setups: 2, madeAt: MADE }));
  await admin.query("vacuum analyze");
  const { rows } = await admin.query<{ name: string; bytes: string }>(
    `select c.relname as name, pg_relation_size(c.oid) as bytes from pg_class c join pg_index i on c.oid = i.indexrelid
     where i.indrelid = 'meter_keys'::regclass`,
  );
  for (const { name, bytes } of rows)
    console.log(`  ${name.padEnd(28)} ${(Number(bytes) / METERS / 2).toFixed(1)} octets a setup`);
  for (const who of ["nobody", "a hundred", "everybody"] as const) {
    if (who === "a hundred") {
      await ageKeys(admin, SOME, 60 * DAY);
      await useCounters(admin, SOME, USED);
    } else if (who === "everybody") {
      await ageKeys(admin, METERS, 60 * DAY);
      await useCounters(admin, METERS, USED);
      await admin.query("vacuum analyze");
    }
    await timed(`by age, ${who} due`, byAge);
    await timed("  again", byAge);
    await forget();
    await timed(`by count, ${who} due`, byCount);
    await timed("  again", byCount);
    await timed("  report of keys", () => rotations.counts(MADE - DAY));
    await forget();
  }
  await timed("certificates to renew, of nobody", renewals);
  const all = { madeBefore: undefined, countAbove: undefined, cause: "demand", risk: 200 } as const;
  const limit = Number.MAX_SAFE_INTEGER;
  await timed("everybody, asked for by a person", () => rotations.plan({ ...common, ...all, limit }));
  await admin.query("analyze");
  await timed("  whose turn it is then", async () => (await rotations.due(5000, 100, [])).length);
  await timed("  by age, with all planned", byAge);
  await admin.end();
});
