import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { EMPTY_EDGE, growthOf } from "@meterkeep/ledger";
import type { CriticalSeal, SealCaps, SealOutcome, StoredManifest } from "../authority/store/records.ts";
import { CustodyError } from "../errors.ts";
import type { CustodyStore } from "../store/store.ts";
import { sampleEntry, sampleMeter } from "./samples.ts";

const conflict = (error: unknown) => error instanceof CustodyError && error.code === "custody-write-conflict";
const hash = () => randomBytes(48).toString("hex");
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const CAPS: SealCaps = {
  offPerDay: 3,
  offPerMonth: 4,
  offPerTenMinutes: 2,
  ofUtility: { offPerDay: 3, offPerMonth: 4, offPerTenMinutes: 2 },
  toggleMilliseconds: 15 * MINUTE,
  togglesPerDay: 4,
};

const MAC = new Uint8Array(32).fill(7);

/** What every adapter of `AuthorityRecords` and its writes keeps to. */
export function authorityRecordsContract(
  name: string,
  withStore: (body: (store: CustodyStore) => Promise<void>) => Promise<void>,
): void {
  const contract = (sentence: string, body: (store: CustodyStore) => Promise<void>) =>
    test(`${name}: ${sentence}`, () => withStore(body));

  contract("the document goes on from its last revision only, and the ledger's mark is found", async (store) => {
    assert.deepEqual(await store.authority.document(), { stored: undefined, mark: undefined });
    const put = (revision: number) => ({
      kind: "put-authority" as const,
      authority: { revision, document: `{"r":${revision}}`, mac: new Uint8Array(32) },
    });
    const mark = { revision: 1, mac: "00".repeat(32) };
    await store.commit([put(1)], growthOf(EMPTY_EDGE, [sampleEntry("authority-recorded", mark)]));
    for (const revision of [1, 3]) await assert.rejects(store.commit([put(revision)]), conflict);
    await store.commit([put(2)]);
    const { stored, mark: found } = await store.authority.document();
    assert.deepEqual([stored?.revision, stored?.document], [2, '{"r":2}']);
    const { at } = sampleEntry("authority-recorded", mark);
    assert.deepEqual(found, { ...mark, sequence: 1, at });
  });

  contract("a document is put right whatever is there, and goes on from there", async (store) => {
    const of = (revision: number, document: string) => ({ revision, document, mac: new Uint8Array(32).fill(revision) });
    for (const authority of [of(7, "{}"), of(3, "[]"), of(3, "{}")]) {
      await store.commit([{ kind: "put-authority-right", authority }]);
      const { stored } = await store.authority.document();
      assert.deepEqual({ ...stored, mac: new Uint8Array(stored?.mac ?? []) }, authority);
    }
    await store.commit([{ kind: "put-authority", authority: of(4, "{}") }]);
    await assert.rejects(store.commit([{ kind: "put-authority", authority: of(4, "{}") }]), conflict);
  });

  contract("manifests, changes and approvals come back as they were, each once", async (store) => {
    const manifest = manifestOf();
    const change = {
      hash: hash(),
      kind: "thaw",
      document: "{}",
      submittedAt: 5,
      submittedBy: "operator",
      executedAt: undefined,
    };
    const approval = { hash: change.hash, approver: "anna", approval: "{}", receivedAt: 7 };
    await store.commit([
      { kind: "add-manifest", manifest },
      { kind: "add-change", change },
      { kind: "add-approval", approval },
    ]);
    assert.deepEqual(await store.authority.manifest(manifest.hash), manifest);
    assert.deepEqual(await store.authority.manifests(10), [manifest]);
    const { utility, island } = manifest;
    const part = { utility, island, hash: manifest.hash, part: 0, octets: new Uint8Array(randomBytes(20)) };
    await store.commit([{ kind: "add-manifest-part", part }]);
    await store.commit([{ kind: "add-manifest-part", part: { ...part, octets: new Uint8Array(1) } }]);
    assert.deepEqual([...((await store.authority.manifestPart(part.hash, 0)) ?? [])], [...part.octets]);
    assert.equal(await store.authority.manifestPart(part.hash, 1), undefined);
    assert.deepEqual(await store.authority.changes(10), [change]);
    assert.deepEqual(await store.authority.approvals(change.hash), [approval]);
    await assert.rejects(store.commit([{ kind: "add-approval", approval }]), conflict);
    await assert.rejects(store.commit([{ kind: "add-manifest", manifest }]), conflict);
    await store.commit([{ kind: "execute-change", hash: change.hash, at: 9 }]);
    await assert.rejects(store.commit([{ kind: "execute-change", hash: change.hash, at: 10 }]), conflict);
    assert.equal((await store.authority.change(change.hash))?.executedAt, 9);
  });

  contract("manifests are counted that nobody approved, of one caller and from a time on", async (store) => {
    const [old, mine, approved, other] = [
      { ...manifestOf(), submittedAt: 9 },
      { ...manifestOf(), submittedAt: 10 },
      { ...manifestOf(), submittedAt: 11 },
      { ...manifestOf(), submittedAt: 11, submittedBy: "somebody else" },
    ];
    const by = mine.submittedBy;
    await store.commit([old, mine, approved, other].map((manifest) => ({ kind: "add-manifest" as const, manifest })));
    assert.equal(await store.authority.unapprovedManifests(by, 10), 2);
    const approval = { hash: approved.hash, approver: "anna", approval: "{}", receivedAt: 12 };
    await store.commit([{ kind: "add-approval", approval }]);
    assert.equal(await store.authority.unapprovedManifests(by, 10), 1);
    assert.equal(await store.authority.unapprovedManifests(by, 0), 2);
  });

  contract(
    "what can switch off counts until it is settled and then for its windows, in the same transaction",
    async (store) => {
      const { seal, add, settle } = await withMeters(store);
      const [one, two, three] = [seal(1, 0), seal(2, 0), seal(3, 300 * DAY + 11 * MINUTE)];
      await add(one, CAPS);
      await add(two, CAPS);
      await assert.rejects(add(seal(3, 0), CAPS), conflict, "two in ten minutes");
      await assert.rejects(add(seal(3, 300 * DAY), CAPS), conflict, "however long they lie about");
      await settle(one, 300 * DAY);
      await add(three, CAPS);
      await settle(two, 300 * DAY + 12 * MINUTE);
      await settle(three, 300 * DAY + 12 * MINUTE);
      await assert.rejects(add(seal(4, 300 * DAY + 40 * MINUTE), CAPS), conflict, "three in a day");
      await add(seal(4, 300 * DAY + 40 * MINUTE), undefined);
      assert.equal(await store.authority.lived(), 300 * DAY + 40 * MINUTE);
      // Injection is counted for itself.
      await add({ ...seal(1, 300 * DAY + 41 * MINUTE), direction: "feed-off" }, CAPS);
      const { seals } = await store.authority.countingSeals();
      assert.equal(seals.length, 5);
    },
  );

  contract("a utility has caps of its own, which those of all together do not lift", async (store) => {
    const { seal, add } = await withMeters(store);
    const many = { offPerDay: 100, offPerMonth: 100, offPerTenMinutes: 100 };
    const small = { ...CAPS, ...many, ofUtility: { ...many, offPerDay: 2, offPerTenMinutes: 2 } };
    for (const number of [1, 2]) await add(seal(number, 0), small);
    await assert.rejects(add(seal(3, 0), small), conflict, "two of this utility");
    const large = { ...small, ofUtility: { ...many, offPerDay: 3, offPerTenMinutes: 1 } };
    await assert.rejects(add(seal(3, 0), large), conflict, "two in ten minutes");
    // Of another utility none has been counted.
    const [meter] = [sampleMeter(5)].map(({ meter: base, ...rest }) => ({
      ...rest,
      meter: { ...base, utility: "nordwerke" },
      keys: rest.keys.map((key) => ({ ...key, utility: "nordwerke" })),
    }));
    if (meter === undefined) return;
    await store.commit([{ kind: "add-meter", ...meter }]);
    const theirs = { ...seal(1, 0), utility: "nordwerke", systemTitle: meter.meter.systemTitle };
    await add(theirs, small);
    assert.deepEqual([await store.meterCount(), await store.meterCount("nordwerke")], [5, 1]);
  });

  contract("a slow drip ends at the cap of a month, and giving back what was taken waits for no cap", async (store) => {
    const { seal, add, settle } = await withMeters(store);
    for (const day of [0, 1, 2, 3]) {
      const one = seal(day + 1, day * DAY);
      await add(one, CAPS);
      await settle(one, day * DAY + 1);
    }
    await assert.rejects(add(seal(1, 20 * DAY), CAPS), conflict, "four in 30 days");
    await add({ ...seal(1, 20 * DAY), direction: "on" }, undefined);
    await add(seal(2, 30 * DAY + 2), CAPS);
  });

  contract(
    "a meter is not switched again too soon, a nonce is used once, an act of a manifest is done once",
    async (store) => {
      const { seal, add, settle } = await withMeters(store);
      const first = seal(1, 0);
      await add(first, undefined);
      assert.deepEqual(await store.authority.openSeals(first), [first]);
      assert.deepEqual(await store.authority.openSeals(seal(2, 0)), []);
      await assert.rejects(add({ ...seal(2, 0), nonce: first.nonce }, undefined), conflict);
      await assert.rejects(add({ ...seal(1, 0), manifest: first.manifest }, undefined), conflict);
      await settle(first, 0, "executed");
      await assert.rejects(add({ ...seal(1, 0), manifest: first.manifest }, undefined), conflict);
      await assert.rejects(add(seal(1, 14 * MINUTE), CAPS), conflict);
      await add(seal(1, 16 * MINUTE), CAPS);
      assert.deepEqual(await store.authority.progress(first.manifest), {
        executed: 1,
        refused: 0,
        superseded: 0,
        open: 0,
      });
    },
  );

  contract("what the meter never took may be tried again, and what is settled stays as it was", async (store) => {
    const { seal, add, settle } = await withMeters(store);
    const [one, two] = [
      { ...seal(1, 0), counter: 10 },
      { ...seal(1, 0), counter: 20 },
    ];
    await add(one, undefined);
    await add(two, undefined);
    await settle(one, 1, "superseded");
    assert.deepEqual(await store.authority.openSeals(), [two]);
    await add({ ...seal(1, 0), manifest: one.manifest }, undefined);
    await settle(two, 5);
    await settle(two, 6);
    assert.equal((await store.authority.progress(two.manifest)).refused, 1);
    const { seals, lost } = await store.authority.countingSeals();
    assert.deepEqual([seals.length, lost], [3, []]);
    // One that is kept, and one that is not.
    const sealed = [two.nonce, "11".repeat(16)].map((nonce) => sampleEntry("critical-sealed", { nonce }));
    await store.commit([], growthOf(EMPTY_EDGE, sealed));
    assert.deepEqual((await store.authority.countingSeals()).lost, ["11".repeat(16)]);
    assert.deepEqual(
      seals.find(({ nonce }) => nonce === two.nonce),
      { ...two, outcome: "refused", settledAt: 1, settledLived: 5, mac: MAC },
    );
  });
}

async function withMeters(store: CustodyStore) {
  const meters = [1, 2, 3, 4].map((number) => sampleMeter(number));
  for (const meter of meters) await store.commit([{ kind: "add-meter", ...meter }]);
  const manifests: StoredManifest[] = [];
  let counter = 100;
  const seal = (number: number, lived: number): CriticalSeal => {
    const manifest = manifestOf();
    manifests.push(manifest);
    counter += 1;
    return {
      utility: "stadtwerke",
      island: "mainland",
      systemTitle: meters[number - 1]?.meter.systemTitle ?? "",
      setup: 0,
      nonce: randomBytes(16).toString("hex"),
      manifest: manifest.hash,
      keyVersion: 2,
      counter,
      isSigned: counter % 2 === 0,
      act: 0,
      once: true,
      direction: "off",
      loadW: 400,
      sealedAt: 1,
      sealedLived: lived,
    };
  };
  const add = async (one: CriticalSeal, caps: SealCaps | undefined) => {
    for (const manifest of manifests.splice(0)) await store.commit([{ kind: "add-manifest", manifest }]);
    await store.commit([{ kind: "seal-critical", seal: one, mac: MAC, caps }]);
  };
  const settle = (one: CriticalSeal, lived: number, outcome: SealOutcome = "refused") =>
    store.commit([{ kind: "settle-seals", seals: [{ ...one, outcome, settledAt: 1, settledLived: lived, mac: MAC }] }]);
  return { seal, add, settle };
}

function manifestOf(): StoredManifest {
  const place = { utility: "stadtwerke", island: "mainland" };
  return { ...place, hash: hash(), header: "{}", submittedAt: 3, submittedBy: "head-end" };
}
