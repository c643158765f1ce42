import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import { startTestServer } from "../testing/test-server.ts";

const METER_ROW = {
  kind: "simulated",
  profile: "idis-p2",
  securitySuite: 1,
  manufacturer: "Maker",
  holders: ["Maker"],
  shipment: "5".repeat(32),
} as const;

/** Watts of each meter, as they were last read; negative where more was fed in than drawn. */
const WATTS = [1_500, -400, undefined, 2_250.5, 999] as const;
const TITLES = WATTS.map((_, at) => `4D4B30300000000${at + 1}`);
/** All but the last are concerned. */
const CONCERNED = TITLES.slice(0, -1);

test("what revoking would do is said with the load of just the meters that are concerned, page by page", async () => {
  await using server = await startTestServer({
    custodian: {
      revocationEffect: async ({ authority }) => ({
        ...{ authority, authorities: 2, meters: CONCERNED.length, certificates: 12, perHour: 8, hours: 0.5 },
        extent: [{ utility: "utility", island: "island", certificates: 12, meters: CONCERNED.length }],
      }),
      authorityMeters: async ({ after }) => {
        const from = after === undefined ? 0 : CONCERNED.indexOf(systemTitleText(after)) + 1;
        return { meters: CONCERNED.slice(from, from + 3).map((title) => systemTitle(fromHex(title))) };
      },
    },
  });
  const { inventory, pool } = server.context;
  await inventory.add(
    TITLES.map((title) => ({ ...METER_ROW, systemTitle: title })),
    new Date(),
  );
  for (const [at, watts] of WATTS.entries())
    await pool.query(
      `insert into meter_latest (utility_id, island_id, meter_id, power_w)
       select utility_id, island_id, meter_id, $2 from meters where system_title = decode($1, 'hex')
       on conflict (utility_id, island_id, meter_id) do update set power_w = excluded.power_w`,
      [TITLES[at], watts ?? null],
    );
  const { cookie } = await server.person("Asker", ["operator"]);
  const answer = await server.get(`/api/v1/pki/authorities/${"ab".repeat(20)}/effect`, { cookie });
  assert.equal(answer.status, 200);
  const effect = (await answer.json()) as Record<string, number>;
  // What is fed in goes as well: the sum is of what the net carries.
  assert.equal(effect["loadW"], 1_500 + 400 + 2_250.5);
  assert.deepEqual([effect["meters"], effect["metersWithoutLoad"]], [4, 1]);
  assert.deepEqual([effect["metersPerHour"], effect["hoursToEnrol"]], [8, 0.5]);
});
