import assert from "node:assert/strict";
import { test } from "node:test";
import { type Data, fromHex, systemTitle } from "@meterkeep/dlms";
import type { Meter } from "../inventory/meter.ts";
import { dataNotification, pushedClock, pushedNumber, pushedText } from "../testing/data-notification.ts";
import { readPush } from "./push-reading.ts";

const NOON = Date.parse("2026-11-21T12:00:00Z");
const INDIA_MS = 19_800_000;

/** Name, a clock that does not say how far it is from UTC, and two registers, as meters of IS 15959 push. */
function pushed(local: number, profile: string) {
  const clock = pushedClock(local, { saysDeviation: false });
  return readItems([pushedText("MKV0000000001"), clock, pushedNumber(7), pushedNumber(250)], profile);
}

function readItems(items: readonly Data[], profile: string) {
  const plainApdu = dataNotification(items);
  const meter = {
    systemTitle: systemTitle(fromHex("4D4B560000000001")),
    title: "4D4B560000000001",
    profile,
    pushLayout: undefined,
  } as unknown as Meter;
  const push = {
    protectedApdu: plainApdu,
    plainApdu,
    authenticated: true,
    encrypted: true,
    counter: 1,
    receivedAt: NOON,
  };
  return readPush(meter, push, NOON, undefined);
}

test("a clock that does not say how far it is from UTC is read by the time zone of its companion profile, and proves no wrong clock", () => {
  const { registers, misdated } = pushed(NOON + INDIA_MS, "is15959");
  const energy = registers.find(({ obis }) => obis === "1-0:1.8.0");
  assert.deepEqual([energy?.at, energy?.status, misdated], [NOON, undefined, undefined]);
  assert.equal(pushed(NOON + INDIA_MS + 3_600_000, "is15959").misdated?.[0]?.offsetSeconds, 3_600);
});

test("a text that a meter pushes is kept without what no database takes", () => {
  const code = (text: string): Data => ({ type: "octet-string", value: fromHex(text) });
  const items: Data[] = [
    code("0000600100ff"),
    { type: "visible-string", value: "MKV\u00007" },
    code("0000600101ff"),
    { type: "utf8-string", value: "Z\u00e4hler\u001b" },
  ];
  assert.deepEqual(
    readItems(items, "unknown").registers.map(({ obis, value }) => [obis, value]),
    [
      ["0-0:96.1.0", "MKV?7"],
      ["0-0:96.1.1", "Z\u00e4hler?"],
    ],
  );
});
