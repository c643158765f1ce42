import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { CustodyError } from "../errors.ts";
import { DEFAULT_KEY_POLICY } from "../keys/key-policy.ts";
import { PURPOSE, type SetupPlace, type StoredTakeover } from "../store/records.ts";
import type { CustodyStore, GoneKey, RotationPlan, StagedMeter, Write } from "../store/store.ts";
import { sampleKey, sampleMeter } from "./samples.ts";

const conflict = (error: unknown) => error instanceof CustodyError && error.code === "custody-write-conflict";
const MADE = 1_795_000_000_000;
const DAY = 86_400_000;

const plan = (change: Partial<RotationPlan> = {}): RotationPlan => ({
  meters: [],
  madeBefore: undefined,
  countAbove: undefined,
  purposes: [0, 1, 2, 3],
  cause: "demand",
  risk: 200,
  plannedBy: "operator",
  at: MADE + DAY,
  limit: 1000,
  ...change,
});

/** Meters in custody; those that were taken over have a closed journal and a proven master. */
async function meters(store: CustodyStore, count: number, isTakenOver = true): Promise<SetupPlace[]> {
  const places: SetupPlace[] = [];
  for (let number = 1; number <= count; number += 1) {
    const sample: StagedMeter = sampleMeter(isTakenOver ? number : number + 100);
    const { utility, island, systemTitle } = sample.meter;
    const place = { utility, island, systemTitle, setup: 0 };
    await store.commit([{ kind: "add-meter", ...sample }]);
    if (isTakenOver) await store.commit([takeover(place, MADE), proven(place)]);
    places.push(place);
  }
  return places;
}

function takeover(place: SetupPlace, closedAt: number | undefined): Write {
  const record: StoredTakeover = {
    ...place,
    takeover: 1,
    revision: 1,
    journal: "{}",
    openedAt: MADE,
    closedAt,
    mac: new Uint8Array(32),
  };
  return { kind: "put-takeover", takeover: record };
}

const proven = (place: SetupPlace): Write => ({
  kind: "set-key-state",
  place,
  purpose: PURPOSE.KEK,
  version: 1,
  state: "active",
  at: MADE,
  provenAt: MADE,
});

/** What every adapter keeps to of rotations and of keys that go. */
export function rotationRecordsContract(
  name: string,
  withStore: (body: (store: CustodyStore) => Promise<void>) => Promise<void>,
): void {
  const contract = (sentence: string, body: (store: CustodyStore) => Promise<void>) =>
    test(`${name}: ${sentence}`, () => withStore(body));

  contract("what somebody planned for a cause after a time is told, in its order", async (store) => {
    const [one, two, three] = (await meters(store, 3)) as [SetupPlace, SetupPlace, SetupPlace];
    const by = { plannedBy: "policy" } as const;
    await store.rotations.plan(plan({ ...by, meters: [three.systemTitle], at: MADE + DAY }));
    await store.rotations.plan(plan({ ...by, meters: [one.systemTitle], at: MADE + 2 * DAY }));
    await store.rotations.plan(plan({ meters: [two.systemTitle], at: MADE + 2 * DAY }));
    assert.deepEqual(await store.rotations.plannedSince("policy", "demand", MADE), [
      { systemTitle: three.systemTitle, at: MADE + DAY },
      { systemTitle: one.systemTitle, at: MADE + 2 * DAY },
    ]);
    assert.deepEqual(
      (await store.rotations.plannedSince("policy", "demand", MADE + DAY)).map(({ systemTitle }) => systemTitle),
      [one.systemTitle],
    );
    assert.deepEqual(await store.rotations.plannedSince("policy", "age", MADE), []);
  });

  contract("rotations are planned for meters whose takeover is over and that have none open", async (store) => {
    const [one, two] = (await meters(store, 2)) as [SetupPlace, SetupPlace];
    await meters(store, 1, false);
    assert.equal(await store.rotations.plan(plan({ meters: [one.systemTitle] })), 1);
    assert.equal(await store.rotations.plan(plan()), 1);
    assert.equal(await store.rotations.plan(plan()), 0);
    const rotation = (await store.load(two.systemTitle))?.rotations[0];
    assert.deepEqual(
      [rotation?.rotation, rotation?.cause, rotation?.purposes, rotation?.plannedBy, rotation?.endedAt],
      [1, "demand", [0, 1, 2, 3], "operator", undefined],
    );
    const marks = { kind: "mark-rotation", place: two, rotation: 1, begunAt: MADE + 5 } as const;
    await store.commit([{ ...marks, endedAt: undefined, outcome: undefined }]);
    await store.commit([{ ...marks, endedAt: MADE + 9, outcome: "proven" }]);
    await assert.rejects(store.commit([{ ...marks, endedAt: MADE + 9, outcome: "proven" }]), conflict);
    assert.equal(await store.rotations.plan(plan()), 1);
    assert.equal((await store.load(two.systemTitle))?.rotations[0]?.rotation, 2);
    assert.deepEqual(await store.rotations.titles("open", undefined, 9), [one.systemTitle, two.systemTitle]);
    assert.deepEqual(await store.rotations.titles("all", one.systemTitle, 9), [two.systemTitle]);
  });

  contract("what has begun is due first, then what is at the greatest risk", async (store) => {
    const places = await meters(store, 4);
    const [one, two, three, four] = places.map(({ systemTitle }) => systemTitle) as [string, string, string, string];
    await store.rotations.plan(plan({ meters: [one, two] }));
    await store.rotations.plan(plan({ meters: [three], cause: "compromise", risk: 1000 }));
    await store.rotations.plan(plan({ meters: [four], cause: "exposure", risk: 500 }));
    const begun = {
      place: places[1] as SetupPlace,
      rotation: 1,
      begunAt: MADE,
      endedAt: undefined,
      outcome: undefined,
    };
    await store.commit([{ kind: "mark-rotation", ...begun }]);
    const due = await store.rotations.due(10, 10, []);
    assert.deepEqual(
      due.map(({ systemTitle }) => systemTitle),
      [two, three, four, one],
    );
    assert.deepEqual(
      due.map((entry) => entry.begun),
      [true, false, false, false],
    );
    assert.equal((await store.rotations.due(10, 1, [])).length, 2);
  });

  contract("what has begun at meters that rest takes no room, and what was planned for them is told", async (store) => {
    const places = (await meters(store, 4)) as [SetupPlace, SetupPlace, SetupPlace, SetupPlace];
    const [one, two, three, four] = places.map(({ systemTitle }) => systemTitle) as [string, string, string, string];
    await store.rotations.plan(plan({ meters: [one, two] }));
    for (const [at, place] of places.slice(0, 2).entries()) {
      const mark = { kind: "mark-rotation", place, rotation: 1, begunAt: MADE + at } as const;
      await store.commit([{ ...mark, endedAt: undefined, outcome: undefined }]);
    }
    for (const [at, place] of places.slice(2).entries()) {
      const open = takeover({ ...place, setup: 1 }, undefined) as Extract<Write, { kind: "put-takeover" }>;
      await store.commit([{ ...open, takeover: { ...open.takeover, openedAt: MADE + at } }]);
    }
    const due = async (begun: number, resting: readonly string[]) => store.rotations.due(begun, 9, resting);
    const begun = (...titles: readonly string[]) => titles.map((systemTitle) => ({ systemTitle, begun: true }));
    assert.deepEqual(await due(1, []), begun(one, three), "the oldest of each");
    assert.deepEqual(await due(1, [one, three]), begun(two, four));
    assert.deepEqual(await due(9, [one, two, three, four]), []);
    await store.rotations.plan(plan({ meters: [three], at: MADE + 3 * DAY }));
    const planned = { systemTitle: three, plannedAt: MADE + 3 * DAY };
    assert.deepEqual(await due(9, [one, two, three, four]), [{ ...planned, begun: false }]);
    assert.deepEqual(await due(9, [one, two, four]), [{ ...planned, begun: true }]);
  });

  contract("meters with keys of a setup that nobody has begun with are found, page after page", async (store) => {
    const places = (await meters(store, 3)) as [SetupPlace, SetupPlace, SetupPlace];
    const [one, two, three] = places.map(({ systemTitle }) => systemTitle) as [string, string, string];
    for (const number of [1, 3]) {
      const keys = ([0, 1, 2, 3] as const).map((purpose) =>
        sampleKey(sampleMeter(number).meter, purpose, { setup: 1 }),
      );
      await store.commit([{ kind: "add-keys", keys, checkValues: keys.slice(1).map(() => randomBytes(32)) }]);
    }
    assert.deepEqual(await store.rotations.unbegun(undefined, 9), { titles: [one, three], last: undefined });
    assert.deepEqual(await store.rotations.unbegun(undefined, 2), { titles: [one], last: two });
    assert.deepEqual(await store.rotations.unbegun(two, 2), { titles: [three], last: undefined });
    await store.commit([takeover({ ...places[0], setup: 1 }, undefined)]);
    assert.deepEqual((await store.rotations.unbegun(undefined, 9)).titles, [three], "the takeover of one has begun");
  });

  contract("a compromise raises what waits for a lesser cause, and leaves alone what has begun", async (store) => {
    const [one, two] = (await meters(store, 2)) as [SetupPlace, SetupPlace];
    await store.rotations.plan(plan({ cause: "age", risk: 0, purposes: [1], plannedBy: "policy" }));
    const begun = { begunAt: MADE + DAY, endedAt: undefined, outcome: undefined };
    await store.commit([{ kind: "mark-rotation", place: two, rotation: 1, ...begun }]);
    const lost = plan({ cause: "compromise", risk: 1000, purposes: [0, 1, 2], at: MADE + 2 * DAY });
    assert.equal(await store.rotations.plan(lost), 1);
    const of = async ({ systemTitle }: SetupPlace) => (await store.load(systemTitle))?.rotations[0];
    const raised = await of(one);
    assert.deepEqual(
      [raised?.rotation, raised?.cause, raised?.purposes, raised?.plannedBy, raised?.plannedAt],
      [1, "compromise", [0, 1, 2], "operator", MADE + 2 * DAY],
    );
    assert.ok((raised?.risk ?? 0) >= 1000);
    assert.deepEqual([(await of(two))?.cause, (await of(two))?.purposes], ["age", [1]]);
  });

  contract("what became compromised while a change was open gets a successor with its end, once", async (store) => {
    const [place] = (await meters(store, 1)) as [SetupPlace];
    const { meter } = sampleMeter(1);
    const set = (purpose: 0 | 2, version: number, state: "active" | "deactivated" | "compromised", at: number) =>
      store.commit([{ kind: "set-key-state", place, purpose, version, state, at }]);
    const mark = (rotation: number, begunAt: number, endedAt: number | undefined) => {
      const outcome = endedAt === undefined ? undefined : ("proven" as const);
      return store.commit([{ kind: "mark-rotation", place, rotation, begunAt, endedAt, outcome }]);
    };
    const newest = async () => (await store.load(place.systemTitle))?.rotations[0];
    await store.rotations.plan(plan({ purposes: [1] }));
    await mark(1, MADE + DAY, undefined);
    for (const purpose of [PURPOSE.GUEK, PURPOSE.GAK] as const) await set(purpose, 1, "compromised", MADE + DAY + 5);
    const lost = plan({ cause: "compromise", risk: 1000, purposes: [0, 1, 2], at: MADE + DAY + 6 });
    assert.equal(await store.rotations.plan(lost), 0, "one is open");
    await mark(1, MADE + DAY, MADE + DAY + 9);
    const successor = await newest();
    assert.deepEqual(
      [successor?.rotation, successor?.cause, successor?.purposes, successor?.plannedBy, successor?.begunAt],
      [2, "compromise", [0, 1, 2], "custodian", undefined],
    );
    const waits = { systemTitle: place.systemTitle, begun: false, plannedAt: MADE + DAY + 9 };
    assert.deepEqual(await store.rotations.due(9, 9, []), [waits]);
    await mark(2, MADE + DAY + 10, MADE + DAY + 11);
    assert.equal((await newest())?.rotation, 2, "one that was planned for it and failed to bring it is not repeated");
    await store.rotations.plan(plan({ at: MADE + 2 * DAY }));
    await mark(3, MADE + 2 * DAY, undefined);
    const next = sampleKey(meter, PURPOSE.GUEK, { version: 2, state: "pre-activation" });
    await store.commit([{ kind: "add-keys", keys: [next], checkValues: [randomBytes(32)] }]);
    await set(PURPOSE.GUEK, 2, "compromised", MADE + 2 * DAY + 1);
    const after = sampleKey(meter, PURPOSE.GUEK, { version: 3, state: "pre-activation" });
    await store.commit([{ kind: "add-keys", keys: [after], checkValues: [randomBytes(32)] }]);
    await set(PURPOSE.GUEK, 3, "active", MADE + 2 * DAY + 2);
    await mark(3, MADE + 2 * DAY, MADE + 2 * DAY + 3);
    assert.equal((await newest())?.rotation, 3, "what an active key follows needs none");
  });

  contract("with the end of a takeover a key that became compromised during it gets its successor", async (store) => {
    const [place] = (await meters(store, 1)) as [SetupPlace];
    const opened = takeover(place, undefined) as Extract<Write, { kind: "put-takeover" }>;
    await store.commit([{ ...opened, takeover: { ...opened.takeover, takeover: 2 } }]);
    const lost = { state: "compromised", at: MADE + 5 } as const;
    await store.commit([{ kind: "set-key-state", place, purpose: PURPOSE.GAK, version: 1, ...lost }]);
    assert.equal(await store.rotations.plan(plan({ cause: "compromise" })), 0);
    await store.commit([{ ...opened, takeover: { ...opened.takeover, takeover: 2, revision: 2, closedAt: MADE + 9 } }]);
    assert.equal((await store.load(place.systemTitle))?.rotations[0]?.cause, "compromise");
  });

  contract("each setup whose takeover is over has rotations of its own, and its meter is due once", async (store) => {
    const [one, two] = (await meters(store, 2)) as [SetupPlace, SetupPlace];
    const further: SetupPlace = { ...one, setup: 1 };
    const { meter } = sampleMeter(1);
    const keys = ([0, 1, 2, 3] as const).map((purpose) => sampleKey(meter, purpose, { setup: 1 }));
    await store.commit([{ kind: "add-keys", keys, checkValues: keys.slice(1).map(() => randomBytes(32)) }]);
    const open = takeover(further, undefined) as Extract<Write, { kind: "put-takeover" }>;
    await store.commit([open]);
    const due = () => store.rotations.due(9, 9, []);
    assert.deepEqual(await due(), [{ systemTitle: one.systemTitle, begun: true }], "its takeover has begun");
    assert.equal(await store.rotations.plan(plan({ meters: [one.systemTitle], setups: 1 })), 0, "which comes first");
    const closed = { ...open.takeover, revision: 2, closedAt: MADE + 9 };
    await store.commit([proven(further), { kind: "put-takeover", takeover: closed }]);
    assert.deepEqual(await due(), []);
    const ofEach = async () =>
      ((await store.load(one.systemTitle))?.rotations ?? [])
        .map(({ setup, rotation, cause, endedAt }) => [setup, rotation, cause, endedAt !== undefined])
        .sort();
    assert.equal(await store.rotations.plan(plan({ meters: [two.systemTitle] })), 1);
    assert.equal(await store.rotations.plan(plan({ setups: 1, cause: "exposure" })), 1);
    assert.deepEqual(await ofEach(), [[1, 1, "exposure", false]]);
    assert.equal(await store.rotations.plan(plan({ setups: "each" })), 1, "the first of it alone is free");
    const planned = [
      [0, 1, "demand", false],
      [1, 1, "exposure", false],
    ];
    assert.deepEqual(await ofEach(), planned);
    assert.deepEqual(
      (await due()).map(({ systemTitle }) => systemTitle).sort(),
      [one, two].map((at) => at.systemTitle),
    );
    const lost = plan({ cause: "compromise", risk: 1000, at: MADE + 2 * DAY, meters: [one.systemTitle] });
    assert.equal(await store.rotations.plan({ ...lost, setups: 1 }), 1, "raised in that setup");
    assert.deepEqual(await ofEach(), [planned[0], [1, 1, "compromise", false]]);
    const mark = { kind: "mark-rotation", place: further, rotation: 1, begunAt: MADE + DAY } as const;
    await store.commit([{ ...mark, endedAt: undefined, outcome: undefined }]);
    assert.deepEqual((await due())[0], { systemTitle: one.systemTitle, begun: true, plannedAt: MADE + DAY });
    assert.equal((await due()).length, 2, "two of one meter are one contact");
    const gone = {
      kind: "set-key-state",
      place: further,
      purpose: PURPOSE.GAK,
      version: 1,
      state: "compromised",
    } as const;
    await store.commit([{ ...gone, at: MADE + 3 * DAY }]);
    await store.commit([{ ...mark, endedAt: MADE + 4 * DAY, outcome: "proven" }]);
    assert.deepEqual(await ofEach(), [planned[0], [1, 2, "compromise", false]], "its successor is of that setup");
    assert.equal(
      await store.rotations.plan(plan({ setups: "each", madeBefore: MADE + 1, meters: [one.systemTitle] })),
      0,
    );
  });

  contract("no key comes back from what is compromised, whoever has read it before", async (store) => {
    const [place] = (await meters(store, 1)) as [SetupPlace];
    const set = (state: "active" | "deactivated" | "compromised", provenAt?: number) =>
      store.commit([
        { kind: "set-key-state", place, purpose: PURPOSE.GUEK, version: 1, state, at: MADE, ...{ provenAt } },
      ]);
    await set("compromised");
    await assert.rejects(set("deactivated"), conflict);
    await assert.rejects(set("active"), conflict);
    await set("compromised", MADE);
  });

  contract("by age and by use only those are planned that are due", async (store) => {
    const [one] = (await meters(store, 2)) as [SetupPlace];
    assert.equal(await store.rotations.plan(plan({ madeBefore: MADE })), 0);
    assert.equal(await store.rotations.plan(plan({ countAbove: 1_000_000 })), 0);
    const counter = { ...one, keyVersion: 1, next: 1_000_300, mac: new Uint8Array(32) };
    await store.commit([{ kind: "reserve-counters", from: 256, counter }]);
    assert.equal(await store.rotations.plan(plan({ countAbove: 1_000_000, cause: "count" })), 1);
    assert.equal(await store.rotations.plan(plan({ madeBefore: MADE + 1, cause: "age", limit: 9 })), 1);
    const { planned, overdue } = await store.rotations.counts(MADE + 1);
    assert.deepEqual([planned, overdue], [2, 2]);
  });

  contract("a key is destroyed when it has gone and its successor is active, and no sooner", async (store) => {
    const [place] = (await meters(store, 1)) as [SetupPlace];
    const { meter } = sampleMeter(1);
    const destroy = { kind: "destroy-key", place, purpose: PURPOSE.GUEK, version: 1, at: MADE + 3 } as const;
    const set = { kind: "set-key-state", place, purpose: PURPOSE.GUEK } as const;
    await assert.rejects(store.commit([destroy]), "it is active");
    await store.commit([{ ...set, version: 1, state: "deactivated", at: MADE + 1 }]);
    await assert.rejects(store.commit([destroy]), "it has no successor");
    const next = sampleKey(meter, PURPOSE.GUEK, { version: 2, state: "pre-activation" });
    await store.commit([{ kind: "add-keys", keys: [next], checkValues: [randomBytes(32)] }]);
    await store.commit([{ ...set, version: 2, state: "active", at: MADE + 2 }]);
    assert.deepEqual(await store.rotations.gone(MADE + 1, 9), []);
    assert.equal((await store.rotations.gone(MADE + 2, 9))[0]?.version, 1);
    await store.commit([destroy]);
    const [key] = (await store.load(place.systemTitle))?.keys ?? [];
    assert.deepEqual([key?.state, key?.sealed.length], ["destroyed", 0]);
    assert.deepEqual(await store.rotations.gone(MADE + DAY, 9), []);
  });

  contract(
    "keys that have gone are told in that order, page after page, also those that went at one time",
    async (store) => {
      const places = await meters(store, 3);
      for (const [place, at] of [
        [places[1], MADE + 5],
        [places[2], MADE + 5],
        [places[0], MADE + 9],
      ] as const)
        await store.commit(
          [PURPOSE.GUEK, PURPOSE.GAK].map((purpose) => {
            const key = { place: place as SetupPlace, purpose, version: 1 };
            return { kind: "set-key-state", ...key, state: "deactivated", at } as const;
          }),
        );
      const all = await store.rotations.gone(MADE + 10, 9);
      assert.deepEqual(
        all.map(({ systemTitle, purpose, goneAt }) => [systemTitle, purpose, goneAt - MADE]),
        ([1, 2, 0] as const).flatMap((at) =>
          [PURPOSE.GUEK, PURPOSE.GAK].map((purpose) => [places[at]?.systemTitle, purpose, at === 0 ? 9 : 5]),
        ),
      );
      const paged: GoneKey[] = [];
      for (;;) {
        const [next] = await store.rotations.gone(MADE + 10, 1, paged.at(-1));
        if (next === undefined) break;
        paged.push(next);
      }
      assert.deepEqual(paged, all);
    },
  );

  contract("compromised keys are told in the order in which they became so, each once", async (store) => {
    const places = await meters(store, 3);
    const [one, two, three] = places.map(({ systemTitle }) => systemTitle) as [string, string, string];
    for (const [place, at] of [
      [places[1], 5],
      [places[2], 5],
      [places[0], 9],
    ] as const)
      await store.commit([
        {
          kind: "set-key-state",
          place: place as SetupPlace,
          purpose: PURPOSE.GUEK,
          version: 1,
          state: "compromised",
          at: MADE + at,
        },
      ]);
    const all = await store.rotations.compromised(0, "", 9);
    assert.deepEqual(
      all.map(({ systemTitle, at }) => [systemTitle, at - MADE]),
      [
        [two, 5],
        [three, 5],
        [one, 9],
      ],
    );
    assert.equal((await store.rotations.compromised(0, "", 1))[0]?.systemTitle, two);
    assert.equal((await store.rotations.compromised(MADE + 5, two, 1))[0]?.systemTitle, three);
    assert.equal((await store.rotations.compromised(MADE + 5, three, 1))[0]?.systemTitle, one);
    assert.deepEqual(await store.rotations.compromised(MADE + 9, one, 1), []);
  });

  contract("the policy is what was set last", async (store) => {
    assert.equal(await store.rotations.policy(), undefined);
    await store.rotations.setPolicy(DEFAULT_KEY_POLICY);
    const changed = { ...DEFAULT_KEY_POLICY, cryptoPeriodDays: 365, countLimit: 4_000_000_000 };
    await store.rotations.setPolicy(changed);
    assert.deepEqual(await store.rotations.policy(), changed);
  });
}
