import assert from "node:assert/strict";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Departure, DepartureOrder, MeterDetail } from "@meterkeep/api";
import type { OtherUtility } from "@meterkeep/custody/testing";
import { type ApiClient, ownerClient } from "./api-client.ts";
import { approve, type KeyHolder, said } from "./authority.ts";
import { serverConfigOf } from "./installation-files.ts";
import type { Meterkeep } from "./start-meterkeep.ts";
import { type MeterTruth, townControl } from "./town-control.ts";
import { until } from "./until.ts";

const PATIENTLY = { patienceMs: 300_000 } as const;
/** Who sells: ourselves. */
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

/** Gives a meter away, with its keys sealed to who buys it. @returns the file that it goes with */
export async function sell(
  meterkeep: Meterkeep,
  api: ApiClient,
  title: string,
  people: readonly KeyHolder[],
  buyer: OtherUtility,
): Promise<NonNullable<Departure["transfer"]>> {
  const base64 = (octets: Uint8Array) => Buffer.from(octets).toString("base64url");
  const { ecdh, mlkem } = buyer.recipient;
  const recipient = { name: buyer.sender.name, ecdhPublicKey: base64(ecdh), mlkemPublicKey: base64(mlkem) };
  const order = { meters: [title], how: "transferred", reason: "network sold", sender: SENDER, recipient } as const;
  const transfer = await leave(meterkeep, { ...order, meters: [title] }, people);
  assert.ok(transfer !== undefined);
  assert.equal(transfer.sender.name, SENDER.name);
  await assertLeft(api, title);
  return transfer;
}

/** Has the installation trust who signs transfers, from its next start on. */
export function trust({ stateDirectory }: Pick<Meterkeep, "stateDirectory">, { sender }: OtherUtility): void {
  const folder = join(stateDirectory, "manufacturers");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${sender.flag}.json`), JSON.stringify(sender), { mode: 0o600 });
}

/** Takes a meter back that somebody else gives: people agree to the shipment, and its takeover begins anew. */
export async function takeBack(
  meterkeep: Meterkeep,
  title: string,
  text: string,
  people: readonly KeyHolder[],
): Promise<MeterDetail> {
  const file = join(meterkeep.stateDirectory, "operator", `${title}.mks`);
  writeFileSync(file, text, { mode: 0o600 });
  const { shipment } = await said<{ readonly shipment: string }>(meterkeep, "shipment", "import", file);
  type Change = { readonly hash: string; readonly kind: string; readonly state: string };
  const { hash } = await until(
    "the shipment waits for people",
    async () =>
      (await said<readonly Change[]>(meterkeep, "change", "list")).find(
        ({ kind, state }) => kind === "import-shipment" && state === "planned",
      ),
    PATIENTLY,
  );
  await approve(meterkeep, hash, ...people);
  // It is offered again within a minute, and at once where its file is another.
  const offered = join(serverConfigOf(meterkeep.stateDirectory).exchangeDirectory, "shipments", `${shipment}.mks`);
  utimesSync(offered, new Date(), new Date());
  const api = await ownerClient(meterkeep);
  return until(
    `${title} is taken over anew`,
    async () => {
      const detail = await api.call("meter", { params: { systemTitle: title } });
      return detail.meter.takeover === "proven" && detail;
    },
    PATIENTLY,
  );
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
