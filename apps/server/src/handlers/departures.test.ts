import assert from "node:assert/strict";
import { test } from "node:test";
import type { Departure, DepartureList, Problem } from "@meterkeep/api";
import { CustodianCallError } from "@meterkeep/api/custodian";
import { startTestServer } from "../testing/test-server.ts";

const METER = "4D4B560000000001";
const METER_ROW = {
  kind: "simulated",
  profile: "idis-p2",
  securitySuite: 0,
  manufacturer: "Maker",
  holders: ["Maker"],
  shipment: "5".repeat(32),
} as const;

test("a meter leaves when people have agreed: asked for it waits, and asked for again it is done", async () => {
  const custodian: string[] = [];
  let agreed = false;
  const left: number[] = [];
  const change = {
    hash: "ab".repeat(48),
    kind: "retire-meter",
    document: JSON.stringify({ body: { meter: [METER] } }),
    words: `retire meter ${METER} for good`,
    requester: "Asker",
    reason: "lightning",
    people: 2,
    submittedAt: 0,
    expiresAt: 1,
  };
  await using own = await startTestServer({
    custodian: {
      departMeters: async ({ how, requester }) => {
        custodian.push(`${how} ${requester}`);
        if (agreed) return { departed: 1 };
        throw new CustodianCallError("approval-required", "two people have to agree");
      },
      changes: async () => ({
        changes: [
          { ...change, state: agreed ? "executed" : "planned", approvedBy: agreed ? ["Ann", "Ben"] : [] },
          { ...change, hash: "cd".repeat(48), kind: "thaw", state: "planned", approvedBy: [] },
        ],
      }),
    },
    left: async (meter) => void left.push(meter),
  });
  const { cookie } = await own.person("Asker", ["operator"]);
  await own.context.inventory.add([{ ...METER_ROW, systemTitle: METER }], new Date());
  const ask = (body: object) => own.post("/api/v1/departures", body, { cookie });
  const order = { meters: [METER], how: "retired", reason: "lightning" };
  const waiting = (await (await ask(order)).json()) as Departure;
  assert.deepEqual([waiting.state, waiting.meters, waiting.approvedBy, left], ["waiting", [METER], [], []]);
  agreed = true;
  const done = (await (await ask(order)).json()) as Departure;
  assert.deepEqual([done.state, done.approvedBy, left.length], ["done", ["Ann", "Ben"], 1]);
  assert.deepEqual(custodian, ["retired Asker", "retired Asker"]);
  const asked = (await own.context.ledger.read(0, 100)).filter(({ kind }) => kind === "departure-asked");
  assert.deepEqual(
    asked.map(({ principal }) => principal),
    ["Asker", "Asker"],
  );
  const listed = (await (await own.get(`/api/v1/departures?meter=${METER}`, { cookie })).json()) as DepartureList;
  assert.deepEqual(
    listed.departures.map(({ change: hash }) => hash),
    [change.hash],
  );
  assert.equal(await codeOf(await ask({ ...order, how: "transferred" })), "body-invalid");
  assert.equal(await codeOf(await ask({ ...order, meters: ["FFFFFFFFFFFFFFFF"] })), "meter-unknown");
});

test("what the custodian refuses is said in its own words, and nobody without the right asks at all", async () => {
  await using own = await startTestServer({
    custodian: {
      departMeters: async () => {
        throw new CustodianCallError("keys-unsettled", "it is not settled which keys the meter has");
      },
    },
  });
  await own.context.inventory.add([{ ...METER_ROW, systemTitle: METER }], new Date());
  const order = { meters: [METER], how: "retired", reason: "lightning" };
  const { cookie } = await own.person("Asker", ["operator"]);
  const answer = (await (await own.post("/api/v1/departures", order, { cookie })).json()) as Problem;
  assert.deepEqual([answer.code, answer.detail], ["departure-refused", "it is not settled which keys the meter has"]);
  const { cookie: auditor } = await own.person("Looker", ["auditor"]);
  assert.equal(await codeOf(await own.post("/api/v1/departures", order, { cookie: auditor })), "scope-missing");
});

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as Problem).code;
}
