import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR } from "../testing/authority-world.ts";
import { withTestCustody } from "../testing/test-custody.ts";
import { OpenManifests, partsOf, takeManifest } from "./manifests.ts";
import type { ManifestPart } from "./store/records.ts";

const TARGETS = 20_000;
const LINES_A_TURN = 500;
const titles = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `545354${(at + 100).toString(16).toUpperCase().padStart(10, "0")}`);

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("whoever throws the kill switch does not wait for a manifest that is being read", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const order: string[] = [];
    let isRead = false;
    const submitting = world.submit(world.manifest(DISCONNECT, titles(TARGETS))).then(() => {
      isRead = true;
      order.push("read");
    });
    let turns = 0;
    let freezing: Promise<unknown> | undefined;
    while (!isRead) {
      await nextTurn();
      turns += 1;
      // Long after its octets have come, and long before all of its lines are read.
      if (turns === 20)
        freezing = world.service.freeze({ reason: "a test" }, OPERATOR).then(() => order.push("frozen"));
    }
    await Promise.all([submitting, freezing]);
    assert.deepEqual(order, ["frozen", "read"]);
    assert.ok(turns >= TARGETS / LINES_A_TURN, `everybody else had ${turns} turns meanwhile`);
  }));

test("a manifest is kept in parts and read against its hash, whichever of them was changed, cut off or put elsewhere", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const store = memoryCustodyStore();
    const submitted = world.manifest(DISCONNECT, titles(TARGETS));
    const { manifest, hash } = await takeManifest(chunksOf(submitted));
    const parts: ManifestPart[] = [];
    for await (const part of partsOf(manifest, hash)) parts.push(part);
    assert.ok(parts.length > 1, "it has several");
    await store.commit(parts.map((part) => ({ kind: "add-manifest-part", part })));
    const found = await new OpenManifests(store.authority).find(hash);
    assert.deepEqual(
      [found?.header.targets, Buffer.compare(found?.octets ?? submitted.subarray(1), submitted)],
      [TARGETS, 0],
    );

    const kept = (at: number): Uint8Array | undefined => parts[at]?.octets;
    const [first, second] = [kept(0), kept(1)];
    const spoilt = {
      "a part is gone": (at: number) => (at === 1 ? undefined : kept(at)),
      "two parts have changed places": (at: number) =>
        [second, first, ...parts.slice(2).map(({ octets }) => octets)][at],
      "a part is no deflated text": (at: number) => (at === 1 ? Uint8Array.of(0xff, 0xff, 0xff) : kept(at)),
      "a part follows": (at: number) => (at === parts.length ? first : kept(at)),
      "nothing is there": () => undefined,
    };
    for (const [what, part] of Object.entries(spoilt)) {
      const open = new OpenManifests({ manifestPart: async (_, at) => part(at) });
      assert.equal(await open.find(hash), undefined, what);
    }
  }));

async function* chunksOf(octets: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < octets.length; at += 65_536) yield octets.subarray(at, at + 65_536);
}

test("a head-end that hands in more manifests than people look at is refused, however short their windows are", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const [title = ""] = titles(1);
    const submit = () => {
      const notAfter = custody.now + 10_000;
      return world.submit(world.manifest(DISCONNECT, [title], { notAfter }));
    };
    let last = "";
    for (let at = 0; at < 100; at += 1) last = (await submit()).hash;
    await assert.rejects(submit(), { code: "too-many-open", message: /100 manifests that head-end .*manifest list/ });
    assert.ok((await world.submit(world.manifest(DISCONNECT, [title]), OPERATOR)).hash, "somebody else may");
    await world.approve(last, world.anna);
    assert.ok((await submit()).hash, "one that was looked at gives room for one");
    custody.now += 20_000;
    await assert.rejects(submit(), { code: "too-many-open" }, "also when their windows are over");
    custody.now += 86_400_000;
    assert.ok((await submit()).hash, "a day later");
  }));
