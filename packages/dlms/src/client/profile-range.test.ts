import assert from "node:assert/strict";
import { test } from "node:test";
import { dateTimeAt } from "../data/date-time.ts";
import { CLIENTS, managementConfig, openTestSession, PROFILE, testMeter } from "../testing/meter.test.ts";
import { type ProfileMethod, streamProfileRange } from "./profile-range.ts";
import type { GetItem } from "./session.ts";
import { SessionError } from "./session-error.ts";

const START = Date.UTC(2026, 10, 21);
const QUARTER = 15 * 60_000;
const RANGE = { from: dateTimeAt(START + 10 * QUARTER), to: dateTimeAt(START + 13 * QUARTER) };

/** A session whose meter does not know these selections. */
async function sessionWithout(...selectors: readonly number[]) {
  const session = await openTestSession(testMeter(), CLIENTS.management, managementConfig());
  let requests = 0;
  const refuse = (selection: GetItem["selection"]) => {
    requests += 1;
    if (selection === undefined || !selectors.includes(selection.selector)) return;
    throw new SessionError("data-access-refused", "not here", { reason: "scope-of-access-violated" });
  };
  return {
    requests: () => requests,
    get: ((address, selection) => {
      refuse(selection);
      return session.get(address, selection);
    }) satisfies typeof session.get,
    async *getStream(address: Parameters<typeof session.get>[0], selection: GetItem["selection"]) {
      refuse(selection);
      yield* session.getStream(address, selection);
    },
  };
}

const CASES: readonly (readonly [ProfileMethod, readonly number[]])[] = [
  ["range", []],
  ["entry", [1]],
  ["whole", [1, 2]],
];

for (const [method, unknown] of CASES)
  test(`a range of a profile is read by ${method} where selections ${unknown.join(" and ") || "none"} are unknown`, async () => {
    const session = await sessionWithout(...unknown);
    const seen: number[] = [];
    const used = await streamProfileRange(session, PROFILE, RANGE, (row) => {
      seen.push(row.number(1));
      assert.equal(row.instant(0), START + (row.number(1) - 1000) * QUARTER);
    });
    assert.equal(used, method);
    assert.deepEqual(seen, [1010, 1011, 1012, 1013]);
    assert.ok(session.requests() < 20, `${session.requests()} requests`);
  });

test("what is no refusal of the selection ends the reading", async () => {
  const session = await sessionWithout();
  await assert.rejects(
    streamProfileRange(session, "1.0.99.9.9.255", RANGE, () => assert.fail("there are no rows")),
    { code: "data-access-refused", reason: "object-undefined" },
  );
  await assert.rejects(
    streamProfileRange(await sessionWithout(1), PROFILE, RANGE, () => {}, { methods: ["range"] }),
    {
      reason: "scope-of-access-violated",
    },
  );
});
