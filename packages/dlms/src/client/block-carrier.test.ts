import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../bytes.ts";
import { encode } from "../codec/codec.ts";
import { Register } from "../cosem/classes/register.ts";
import { d } from "../data/d.ts";
import { GENERAL_BLOCK_TRANSFER_TAG } from "../gbt/transfer.ts";
import { OFFERED_CONFORMANCE } from "../server/offer.ts";
import {
  CLIENTS,
  ECHO,
  Echo,
  ENERGY,
  lineTo,
  managementConfig,
  openTestSession,
  PROFILE,
  testKey,
  testMeter,
} from "../testing/meter.test.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";
import { localAssociator } from "./local-associator.ts";
import type { Associator } from "./ports.ts";
import { readProfile } from "./profile-reader.ts";
import { frameCountersFrom, risingCountersFrom } from "./protection.ts";
import { remote } from "./remote.ts";
import { openSession } from "./session.ts";

const without = (...bits: ConformanceBit[]) => OFFERED_CONFORMANCE.filter((bit) => !bits.includes(bit));
/** General block transfer instead of the services' own blocks. */
const GENERAL_ONLY = without(
  "block-transfer-with-get-or-read",
  "block-transfer-with-set-or-write",
  "block-transfer-with-action",
);
const config = (conformance: readonly ConformanceBit[]) => ({
  ...managementConfig({ form: "general-global" }),
  conformance,
  maxReceivePduSize: 300,
});

for (const windowBlocks of [undefined, 1, 5, 63])
  test(`long requests and responses go in general blocks, window ${windowBlocks ?? "without a line"}`, async () => {
    const meter = testMeter({ blockWindow: 4 });
    const line = lineTo(meter, CLIENTS.management);
    const session = await openTestSession(meter, CLIENTS.management, config(GENERAL_ONLY), {
      exchange: line.exchange,
      ...(windowBlocks === undefined ? {} : { line, blockTransfer: { windowBlocks } }),
    });
    const echo = remote(session, Echo, ECHO);
    const text = testKey(7, 200);
    await echo.set("text", text);
    assert.deepEqual(await echo.get("text"), text);
    assert.equal((await readProfile(session, PROFILE)).length, 96);
    if (windowBlocks === undefined) return;
    const long = testKey(3, 1500);
    assert.deepEqual(await echo.call("repeat", long), Uint8Array.from([...long, ...long]));
    assert.equal((await remote(session, Register, ENERGY).get("scalerUnit")).unit, 30);
    await session.release();
  });

test("without a line one block goes at a time, whatever window the server offers", async () => {
  const meter = testMeter({ blockWindow: 4 });
  let blocks = 0;
  const { exchange } = lineTo(meter, CLIENTS.management, ([tag]) => {
    if (tag === GENERAL_BLOCK_TRANSFER_TAG) blocks += 1;
  });
  const session = await openTestSession(meter, CLIENTS.management, config(GENERAL_ONLY), { exchange });
  const long = testKey(1, 3000);
  await session.set({ classId: Echo.id, logicalName: ECHO, attributeId: 2 }, encode(d.octetString, long));
  assert.deepEqual(meter.state.text, long);
  assert.ok(blocks > 4, `${blocks} blocks`);
});

for (const [name, conformance] of [
  ["general", OFFERED_CONFORMANCE],
  ["no", without("general-block-transfer")],
] as const)
  test(`where requests are protected whole none goes in blocks of its service, with ${name} blocks agreed`, async () => {
    const meter = testMeter();
    const tags: (number | undefined)[] = [];
    const forms: string[] = [];
    const line = lineTo(meter, CLIENTS.management, ([tag]) => tags.push(tag));
    const local = localAssociator(config(conformance), {
      frameCounters: frameCountersFrom(1),
      receivedCounters: risingCountersFrom(0),
    });
    const next: Associator["next"] = async (received) => {
      const step = await local.next(received);
      return step.kind === "send" ? step : { ...step, protection: { ...step.protection, wholeRequests: true } };
    };
    const session = await openSession({
      exchange: line.exchange,
      associator: { start: () => local.start(), next, release: () => local.release(), released: async () => {} },
      onExchange: ({ direction, plain }) => {
        if (direction === "sent" && plain !== undefined) forms.push(toHex(plain.subarray(0, 2)));
      },
    });
    const echo = remote(session, Echo, ECHO);
    const long = testKey(1, 2000);
    forms.length = 0;
    const works = [() => echo.set("text", long), () => echo.call("repeat", long)];
    if (name === "no") for (const work of works) await assert.rejects(work(), { code: "request-too-long" });
    else for (const work of works) await work();
    // set-request-normal and action-request-normal, each once; the answer of the second is asked for block by block.
    assert.deepEqual(
      forms.filter((form) => form !== "c302"),
      name === "no" ? [] : ["c101", "c301"],
    );
    assert.equal(tags.includes(GENERAL_BLOCK_TRANSFER_TAG), name === "general");
  });

test("blocks of the service come first where both were agreed, unless the session says otherwise", async () => {
  for (const preferred of [false, true]) {
    const tags = new Set<number>();
    const meter = testMeter();
    const line = lineTo(meter, CLIENTS.management, (apdu) => tags.add(apdu[0] ?? 0));
    const session = await openTestSession(meter, CLIENTS.management, config(OFFERED_CONFORMANCE), {
      exchange: line.exchange,
      blockTransfer: { preferred },
    });
    const echo = remote(session, Echo, ECHO);
    await echo.set("text", testKey(1, 2000));
    assert.equal(tags.has(0xe0), preferred);
  }
});
