import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { CustodyError } from "../errors.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { caller, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { TITLE } from "../testing/test-session.ts";

type Turn = PromiseWithResolvers<void>;

const retire = ({ custody }: TestCustody) =>
  custody.service.departMeters(
    {
      meters: [systemTitle(fromHex(TITLE))],
      how: "retired",
      reason: "scrapped",
      sender: { flag: "OLD", name: "Old Owner" },
      recipient: undefined,
    },
    caller("operator"),
  );

for (const [what, end, reason] of [
  ["its meter leaves", retire, "the meter leaves"],
  ["its caller goes", ({ custody }) => custody.gone(HEAD_END.name), "who opened it has gone"],
  ["the custodian closes", ({ custody }) => custody.close(), undefined],
] as const satisfies readonly (readonly [string, (custody: TestCustody) => Promise<unknown>, string | undefined])[])
  test(`a session that is being opened while ${what} is none, and its opening entry has a closing one`, () => {
    const store = memoryCustodyStore();
    const [committing, loaded, held] = [1, 2, 3].map(() => Promise.withResolvers<void>()) as [Turn, Turn, Turn];
    let isHolding = false;
    const holding: CustodyStore = {
      ...store,
      commit: async (...change) => {
        if (isHolding) {
          committing.resolve();
          await held.promise;
        }
        return store.commit(...change);
      },
      counterLine: (place) => {
        if (isHolding) loaded.resolve();
        return store.counterLine(place);
      },
    };
    return withTestCustody(async (custody) => {
      const meter = new TestMeter({ systemTitle: TITLE });
      await custody.add(meter);
      await carryTakeover(custody, meter);
      await custody.restart();
      isHolding = true;
      // A meter leaves with the commit that the opening's waits for.
      const leaving = end === retire ? end(custody) : undefined;
      if (leaving !== undefined) await committing.promise;
      const request = { meter: systemTitle(fromHex(TITLE)), purpose: "read" } as const;
      const opening = custody.custody.service.openSession(request, HEAD_END);
      const refused = assert.rejects(opening, { code: "session-unknown" });
      await Promise.all([loaded.promise, committing.promise]);
      const ending = leaving ?? end(custody);
      held.resolve();
      await Promise.all([refused, ending]);
      const entries = (await custody.store.ledger.read(0, 1000)).filter(({ kind }) => kind.startsWith("session-"));
      assert.deepEqual(
        entries.map(({ kind }) => kind),
        ["session-opened", "session-closed"],
      );
      const body = JSON.parse(entries[1]?.body ?? "{}");
      assert.deepEqual([body.outcome, body.reason, body.toMeter], ["abandoned", reason, 0]);
      if (what === "the custodian closes") await custody.restart();
    }, holding);
  });

test("once the custodian closes no session begins any more, though others are still being ended", () => {
  const store = memoryCustodyStore();
  const [committing, held] = [1, 2].map(() => Promise.withResolvers<void>()) as [Turn, Turn];
  let isHolding = false;
  const holding: CustodyStore = {
    ...store,
    commit: async (...change) => {
      if (isHolding) {
        committing.resolve();
        await held.promise;
      }
      return store.commit(...change);
    },
  };
  return withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const request = { meter: systemTitle(fromHex(TITLE)), purpose: "read" } as const;
    await custody.custody.service.openSession(request, HEAD_END);
    isHolding = true;
    const closing = custody.custody.close();
    // The open one's closing entry is being written.
    await committing.promise;
    const late = custody.custody.service.openSession(request, HEAD_END);
    const refused = assert.rejects(late, { code: "custodian-closing" });
    held.resolve();
    await Promise.all([refused, closing]);
    const entries = (await custody.store.ledger.read(0, 1000)).filter(({ kind }) => kind.startsWith("session-"));
    assert.deepEqual(
      entries.map(({ kind }) => kind),
      ["session-opened", "session-closed"],
    );
    await custody.restart();
  }, holding);
});

test("where an island is cut a session is noted as one that opens from the moment it is asked for, and refused by what its meter is", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const request = { meter: systemTitle(fromHex(TITLE)), purpose: "read" } as const;
    let isOwn = false;
    Object.assign(custody.custody.pki, { isAnyCut: () => true, isCut: () => isOwn });
    const opening = custody.custody.service.openSession(request, HEAD_END);
    await Promise.all([assert.rejects(opening, { code: "session-unknown" }), custody.custody.gone(HEAD_END.name)]);
    isOwn = true;
    await assert.rejects(custody.custody.service.openSession(request, HEAD_END), { code: "island-cut" });
    const beyond = { ...HEAD_END, rights: { sessions: 1, permits: () => false } };
    await assert.rejects(custody.custody.service.openSession(request, beyond), { code: "unknown-meter" });
  }));

test("a session whose counters cannot be had has a closing entry where its opening one is written, and gives back all it had", () => {
  const store = memoryCustodyStore();
  let isRefusing = false;
  const refusing: CustodyStore = {
    ...store,
    commit: async (writes, growth) => {
      if (isRefusing && writes.some(({ kind }) => kind === "reserve-counters"))
        throw new CustodyError("custody-write-conflict", "reserved already");
      return store.commit(writes, growth);
    },
  };
  return withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    await custody.restart();
    isRefusing = true;
    const request = { meter: systemTitle(fromHex(TITLE)), purpose: "read" } as const;
    await assert.rejects(custody.custody.service.openSession(request, HEAD_END), { code: "custody-write-conflict" });
    const entries = (await custody.store.ledger.read(0, 1000)).filter(({ kind }) => kind.startsWith("session-"));
    assert.deepEqual(
      entries.map(({ kind }) => kind),
      ["session-opened", "session-closed"],
    );
    isRefusing = false;
    await custody.custody.service.openSession(request, HEAD_END);
  }, refusing);
});
