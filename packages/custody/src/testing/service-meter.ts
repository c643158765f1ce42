import assert from "node:assert/strict";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { journalOf } from "../takeover/view.ts";
import { carryTakeover, heldKeys, type TestCustody } from "./test-custody.ts";
import { TestMeter } from "./test-meter.ts";

/** What a meter of two security setups is added with, each with a client that may change its keys. */
export const SERVICE = { profile: "idis-p2-service", holders: ["Maker"] } as const;
export const hex = (octets: Uint8Array | undefined) => Buffer.from(octets ?? []).toString("hex");
export const titleOf = (meter: TestMeter) => systemTitle(fromHex(meter.systemTitle));

/** A meter of two security setups. */
export function serviceMeter(number: number): TestMeter {
  return new TestMeter({
    systemTitle: `54535400000007${number.toString(16).padStart(2, "0").toUpperCase()}`,
    secondSetup: true,
  });
}

/** Carries octets until nothing is wanted any more, also of what rests in between. */
export async function carryAll(
  custody: TestCustody,
  meter: TestMeter,
  options: Parameters<typeof carryTakeover>[2] = {},
) {
  let carried = await carryTakeover(custody, meter, options);
  for (let again = 0; again < 20; again += 1) {
    custody.now += 3_600_000;
    const { crashes } = carried;
    carried = await carryTakeover(custody, meter, options.by === undefined ? {} : { by: options.by });
    carried = { ...carried, crashes: crashes + carried.crashes };
    if (carried.steps.length === 0) return carried;
  }
  throw new Error("something is wanted of it all the time");
}

export const loaded = async ({ store }: TestCustody, meter: TestMeter) => {
  const file = await store.load(meter.systemTitle);
  assert.ok(file);
  return file;
};

/** Each setup's keys are others than the factory's, and in custody in their places. */
export async function assertTakenOver(custody: TestCustody, meter: TestMeter) {
  const held = (await heldKeys(custody, meter)).flat();
  for (const { keys, factoryKeys } of meter.setups)
    for (const [purpose, key] of keys.entries()) {
      assert.notEqual(hex(key), hex(factoryKeys[purpose]));
      assert.ok(held.includes(hex(key)), `key ${purpose} is on the meter and forgotten`);
    }
  assert.equal(new Set(meter.everSent).size, meter.everSent.length, "a value was sent twice");
  for (const setup of [0, 1]) assert.equal(journalOf(await loaded(custody, meter), setup).journal.verdict, "proven");
}

/** Both stores. */
export const inBoth = async (body: (store: CustodyStore) => Promise<void>) => {
  await body(memoryCustodyStore());
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => body(postgresCustodyStore(pool)));
};

/** What is added of a meter: its setups may be given otherwise. */
export const added = ({ systemTitle: title, logicalDeviceName, factoryKeys, factorySecrets }: TestMeter) => ({
  systemTitle: title,
  logicalDeviceName,
  factoryKeys,
  factorySecrets,
});
