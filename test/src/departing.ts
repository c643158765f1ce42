import assert from "node:assert/strict";
import type { Departure, DepartureOrder } from "@meterkeep/api";
import { type ApiClient, ownerClient } from "./api-client.ts";
import { approve, type KeyHolder } from "./authority.ts";
import type { Meterkeep } from "./start-meterkeep.ts";
import { type MeterTruth, townControl } from "./town-control.ts";
import { until } from "./until.ts";

const PATIENTLY = { patienceMs: 300_000, everyMs: 1000 } as const;
/** Who sells: here that is ourselves, as is who buys. */
const SENDER = { flag: "OLD", name: "Old Utility" } as const;

/** Has a meter leave over HTTP: asked for, signed by people, and asked for again. */
async function leave(
  meterkeep: Meterkeep,
  order: DepartureOrder,
  people: readonly KeyHolder[],
): Promise<Departure["transfer"]> {
  const api = await ownerClient(meterkeep, "request", `departure of ${order.meters.join()}`);
  const waiting = await api.call("departMeters", { body: order });
  assert.deepEqual([waiting.state, waiting.approvedBy, waiting.transfer], ["waiting", [], undefined]);
  await approve(meterkeep, waiting.change, people[0] as KeyHolder);
  assert.equal((await api.call("departMeters", { body: order })).state, "waiting", "one person is not enough");
  await approve(meterkeep, waiting.change, ...people.slice(1));
  const { state, transfer } = await api.call("departMeters", { body: order });
  assert.equal(state, "done");
  return transfer;
}

/** Retires a meter. */
export async function retire(
  meterkeep: Meterkeep,
  api: ApiClient,
  title: string,
  people: readonly KeyHolder[],
): Promise<void> {
  await leave(meterkeep, { meters: [title], how: "retired", reason: "lightning" }, people);
  await assertLeft(api, title);
  const { entries } = await api.call("ledger", { query: { source: "custodian", meter: title, limit: 500 } });
  assert.ok(entries.some(({ kind }) => kind === "meter-departed"));
}

/** Gives a meter away, with its keys sealed to who gets it. */
export async function sell(
  meterkeep: Meterkeep,
  api: ApiClient,
  title: string,
  people: readonly KeyHolder[],
): Promise<void> {
  const { ecdhPublicKey, mlkemPublicKey } = await api.call("recipient");
  const recipient = { name: "New Utility", ecdhPublicKey, mlkemPublicKey };
  const order = { meters: [title], how: "transferred", reason: "network sold", sender: SENDER, recipient } as const;
  const transfer = await leave(meterkeep, { ...order, meters: [title] }, people);
  assert.equal(transfer?.sender.name, SENDER.name);
  await assertLeft(api, title);
}

/** A meter has left, by its line, its keys and the board that counts who is read. */
async function assertLeft(api: ApiClient, title: string): Promise<void> {
  const { keys } = await until(
    `${title} is shown as one that has left`,
    async () => {
      const detail = await api.call("meter", { params: { systemTitle: title } });
      const { meter, trust } = detail;
      return trust.state === "retired" && meter.takeover === "left" && !meter.stale && detail;
    },
    PATIENTLY,
  );
  assert.ok(keys.length > 0 && keys.every(({ state }) => state !== "active" && state !== "suspended"));
  const { meters, notInService, unreadable } = await api.call("sla", { query: { kind: "simulated" } });
  const here = (await api.meters()).filter(({ takeover }) => takeover !== "left").length;
  assert.equal(meters + notInService + unreadable, here, "nobody misses it");
}

/**
 * Waits until all others were read, and read once more: in between nobody spoke to those who have left. What was on its way when
 * they left is over by the first time.
 */
export async function assertNeverContacted(
  meterkeep: Meterkeep,
  api: ApiClient,
  left: readonly string[],
): Promise<void> {
  const known = async () =>
    Promise.all(
      left.map(async (title) => {
        const { sessions } = await api.call("meterSessions", { params: { systemTitle: title } });
        return [(await truthOf(meterkeep, title)).lastReceivedCounter, sessions[0]?.id];
      }),
    );
  await allAreRead(api);
  const before = await known();
  await allAreRead(api);
  assert.deepEqual(await known(), before);
}

async function allAreRead(api: ApiClient): Promise<void> {
  const contacts = async () =>
    new Map(
      (await api.meters())
        .filter(({ takeover }) => takeover === "proven")
        .map(({ systemTitle, lastContactAt }) => [systemTitle, lastContactAt]),
    );
  const before = await contacts();
  assert.ok(before.size > 0);
  await until(
    "all meters in service have been read again",
    async () => {
      const now = await contacts().catch(() => undefined);
      return now !== undefined && [...before].every(([title, at]) => now.get(title) !== at);
    },
    PATIENTLY,
  );
}

async function truthOf({ stateDirectory }: Meterkeep, title: string): Promise<MeterTruth> {
  const found = (await townControl(stateDirectory).truth()).find(({ systemTitle }) => systemTitle === title);
  assert.ok(found !== undefined);
  return found;
}
