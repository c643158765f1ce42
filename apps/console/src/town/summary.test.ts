import assert from "node:assert/strict";
import { test } from "node:test";
import type { GridView, MeterSummary } from "@meterkeep/api";
import { attentionFirst, Haystacks, isEmptyFilter, type MeterFilter, select } from "./filter.ts";
import { nextSteps } from "./next-steps.ts";
import { sampleMeter } from "./sample.ts";
import { countStages, stageOf } from "./stage.ts";
import { feederFacts, meterSentence, supplySentence, townFacts, worstFirst } from "./summary.ts";

const grid: GridView = {
  substation: { id: "S", name: "North" },
  feeders: [
    {
      id: "F1",
      name: "Feeder 1",
      path: "wan",
      transformer: { id: "T1", meter: "T1", ratedKva: 160 },
      homes: ["A", "B"],
    },
    { id: "F2", name: "Feeder 2", path: "depot", transformer: { id: "T2", ratedKva: 160 }, homes: ["C"] },
  ],
};
const town = (...meters: readonly MeterSummary[]) => new Map(meters.map((meter) => [meter.systemTitle, meter]));

test("the headline says first what is wrong", () => {
  const lit = townFacts(grid, town(sampleMeter("A"), sampleMeter("B"), sampleMeter("C")));
  assert.equal(supplySentence(lit), "All 3 homes are supplied");
  const dark = townFacts(grid, town(sampleMeter("A", { supply: "disconnected" }), sampleMeter("B"), sampleMeter("C")));
  assert.equal(supplySentence(dark), "1 home is dark");
  const unread = townFacts(grid, town(sampleMeter("A"), sampleMeter("B", { supply: "unknown" })));
  assert.equal(supplySentence(unread), "1 home is supplied, 2 have not been read yet");
  assert.equal(supplySentence(townFacts(grid, town())), "3 homes, supply not read yet");
});

test("the load is what the transformer meters measured, and says when some are missing", () => {
  const facts = townFacts(grid, town(sampleMeter("T1", { role: "transformer", powerW: 12_500, trust: "provisional" })));
  assert.equal(facts.loadW, 12_500);
  assert.equal(facts.loadDoubt, "provisional");
  const trusted = sampleMeter("T1", { role: "transformer", powerW: 5 });
  assert.equal(townFacts(grid, town(trusted)).loadDoubt, undefined);
  assert.equal(facts.feedersWithLoad, 1);
  assert.equal(townFacts(grid, town()).loadW, undefined);
  const [first, second] = feederFacts(grid, town(sampleMeter("T1", { powerW: 1 })));
  assert.equal(first?.loadW, 1);
  assert.equal(second?.loadW, undefined);
});

test("a meter's station follows its trust first, its takeover second", () => {
  assert.equal(stageOf({ trust: "held", takeover: "shipped" }), "shipped");
  assert.equal(stageOf({ trust: "held", takeover: "under-way" }), "taking-over");
  assert.equal(stageOf({ trust: "held", takeover: "probing" }), "taking-over");
  assert.equal(stageOf({ trust: "provisional", takeover: "proven" }), "provisional");
  assert.equal(stageOf({ trust: "trusted", takeover: "proven" }), "trusted");
  assert.equal(stageOf({ trust: "quarantined", takeover: "refused" }), "quarantined");
  assert.equal(stageOf({ trust: "quarantined", takeover: "proven" }), "quarantined");
  const counts = countStages([sampleMeter("A"), sampleMeter("B", { trust: "held", takeover: "shipped" })]);
  assert.deepEqual(counts, { shipped: 1, "taking-over": 0, provisional: 0, trusted: 1, quarantined: 0 });
});

test("a home says its supply, its trust and where it is on its way", () => {
  assert.equal(meterSentence(sampleMeter("A")), "Home A, supplied, trusted");
  const onTheWay = sampleMeter("A", {
    trust: "held",
    takeover: "under-way",
    takeoverPhase: "transfer-master",
    supply: "unknown",
    stale: true,
  });
  assert.equal(meterSentence(onTheWay), "Home A, supply not read yet, held, transfer master, stale");
});

test("each word of a search must be found somewhere in the meter", () => {
  const meter = sampleMeter("4D4B560000000001", { label: "Home 4-01" });
  const matches = (filter: MeterFilter): boolean => select(filter, [meter], new Haystacks()).length === 1;
  assert.ok(matches({ text: "4-01 trusted" }));
  assert.ok(matches({}));
  assert.ok(matches({ text: "4d4b" }));
  assert.ok(!matches({ text: "4-01 quarantined" }));
  assert.ok(!matches({ stage: "provisional" }));
  assert.ok(matches({ supply: "connected", feeder: "F1" }));
  assert.ok(isEmptyFilter({ text: "" }) && !isEmptyFilter({ stage: "trusted" }));
});

test("what needs a look comes first, the rest keeps its order", () => {
  const meters = [
    sampleMeter("A"),
    sampleMeter("B", { trust: "quarantined" }),
    sampleMeter("C", { stale: true }),
    sampleMeter("D", { supply: "disconnected" }),
  ];
  const order = attentionFirst(meters).map(({ systemTitle }) => systemTitle);
  assert.deepEqual(order, ["B", "D", "A", "C"]);
});

test("what to do next begins with what has not been done", () => {
  const fresh = nextSteps({ drillsRun: 0, realMeters: 0, passkeys: 0, passkeysOffered: true });
  assert.deepEqual(
    fresh.map(({ to }) => to),
    ["/drill", "/decode", "/account"],
  );
  const seasoned = nextSteps({ drillsRun: 2, realMeters: 1, passkeys: 1, passkeysOffered: true });
  assert.deepEqual(
    seasoned.map(({ to }) => to),
    ["/ledger"],
  );
});

test("feeders of a large fleet come with dark homes first, then lost trust, then silence", () => {
  const line = (id: string, disconnected: number, quarantined: number, stale: number) => ({
    ...{ id, name: id, homes: 9, connected: 9 - disconnected, disconnected, quarantined, stale },
  });
  const feeders = [line("calm", 0, 0, 0), line("stale", 0, 0, 4), line("lost", 0, 1, 0), line("dark", 1, 0, 0)];
  assert.deepEqual(
    worstFirst(feeders).map(({ id }) => id),
    ["dark", "lost", "stale", "calm"],
  );
});
