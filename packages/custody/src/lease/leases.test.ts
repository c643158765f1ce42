import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import type { FieldReport } from "@meterkeep/api/custodian";
import { memoryCustodyStore } from "../store/memory-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { Crash, carryTakeover, HEAD_END, type TestCustody } from "../testing/test-custody.ts";
import {
  exposureOf,
  give,
  type Handheld,
  journal,
  newHandheld,
  OPERATOR,
  opened,
  reportOf,
  TITLES,
  titles,
  withField,
} from "../testing/test-field.ts";
import type { TestMeter } from "../testing/test-meter.ts";
import { FIELD_KINDS } from "./field-record.ts";
import { type LeaseTerms, signedText } from "./lease-file.ts";

test("a lease has the meters' own keys for its handheld alone, counters that nobody else uses, and stands in the ledger before it leaves", () =>
  withField(async (custody, meters, handheld) => {
    const { file, lease } = await give(custody);
    const { terms, keys } = opened(file, handheld);
    assert.deepEqual([terms.lease, terms.technician, terms.until - terms.from], [lease, "Ada", 8 * 3_600_000]);
    for (const [at, meter] of meters.entries())
      assert.equal(keys[at]?.encryptionKey, Buffer.from(meter.keys[0] as Uint8Array).toString("hex"));
    // Signed by the custodian, over every octet of it, with both keys.
    const { signed, ...lent } = JSON.parse(file) as Parameters<typeof signedText>[0] & {
      readonly signed: { readonly ecdsa: string; readonly mldsa: string; readonly by: Record<string, string> };
    };
    const signer = (name: string) =>
      createPublicKey({ key: Buffer.from(signed.by[name] ?? "", "base64"), format: "der", type: "spki" });
    const isSigned = (text: string) =>
      verify(
        "sha384",
        Buffer.from(text),
        { key: signer("ecdsa"), dsaEncoding: "ieee-p1363" },
        Buffer.from(signed.ecdsa, "base64"),
      ) && verify(null, Buffer.from(text), signer("mldsa"), Buffer.from(signed.mldsa, "base64"));
    assert.ok(isSigned(signedText(lent)));
    assert.equal(isSigned(signedText({ ...lent, terms: lent.terms.replace("Ada", "Eve") })), false);
    assert.throws(() => opened(file, newHandheld("other")), { code: "backup-not-authentic" });
    assert.throws(() => opened(file.replace('\\"until\\":1', '\\"until\\":2'), handheld));
    const [first] = terms.meters;
    assert.deepEqual(first?.clients, { read: 2 }, "the client that may only read");
    const reading = () => custody.custody.service.openSession({ meter: titles[0] as never, purpose: "read" }, HEAD_END);
    await assert.rejects(reading(), { code: "meter-lent" }, "a reading would use counters above the handheld's");
    await custody.restart();
    await assert.rejects(reading(), { code: "meter-lent" }, "a restart forgets no lease");
    await custody.custody.service.planRotations(
      { meters: [titles[0] as never], madeBefore: undefined, purposes: [], cause: "demand", reason: "old" },
      OPERATOR,
    );
    const { kind } = await custody.custody.service.nextContact({ meter: titles[0] as never }, HEAD_END);
    assert.equal(kind, "wait", "keys that are merely old are changed when the lease is over");
    const urgent = await custody.custody.service.openSession(
      { meter: titles[0] as never, purpose: "configure" },
      HEAD_END,
    );
    assert.ok(urgent.apdu.length > 0, "what is more than reading does not wait");
    const place = { utility: "stadtwerke", island: "mainland", systemTitle: TITLES[0], setup: 0 };
    const { counters } = await custody.store.counterLine(place);
    assert.ok(Math.max(...counters.map(({ next }) => next)) >= (first?.first ?? 0) + (first?.count ?? 0));
    await assert.rejects(give(custody), { code: "lease-refused", message: /lent to Ada/ });
    const bodies = (await custody.store.ledger.read(0, 10_000)).filter(({ kind }) => kind === "lease-given");
    assert.equal(bodies.length, 1);
    assert.ok(keys.every(({ encryptionKey }) => !bodies[0]?.body.includes(encryptionKey)));
  }));

test("what is asked beyond bounds, and who is not enrolled, gets no lease", () =>
  withField(async (custody) => {
    for (const change of [{ hours: 13 }, { hours: 0 }, { meters: [] }, { operations: [] }, { handheld: "nobody" }])
      await assert.rejects(give(custody, change), { code: "lease-refused" }, JSON.stringify(change));
    const same = newHandheld("HH-7");
    await assert.rejects(
      custody.custody.service.enrolHandheld({ publicKey: same.publicKey, technician: "Eve" }, OPERATOR),
      { code: "lease-refused" },
    );
    await assert.rejects(custody.custody.service.enrolHandheld({ publicKey: "{}", technician: "Eve" }, OPERATOR), {
      code: "lease-refused",
    });
  }));

test("a meter that has left is lent to nobody, neither by the process that let it go nor by the next", () =>
  withField(async (custody) => {
    const request = { meters: [titles[0] as never], how: "retired", reason: "scrapped", recipient: undefined } as const;
    await custody.custody.service.departMeters({ ...request, sender: { flag: "OLD", name: "Old" } }, OPERATOR);
    await assert.rejects(give(custody), { code: "meter-left" });
    await custody.restart();
    await assert.rejects(give(custody), { code: "meter-left" });
    assert.equal((await give(custody, { meters: [titles[1]] })).lease.length, 24);
  }));

test("a lease that is returned, or is not in time, has its keys rotated, and is exposed no longer", () =>
  withField(async (custody, meters, handheld) => {
    const { lease, file } = await give(custody);
    const { terms } = opened(file, handheld);
    const used = terms.meters.map(({ meter, first }) => ({ meter, next: first + 10 }));
    const other = newHandheld("HH-8");
    for (const bad of [
      "",
      "{}",
      journal(handheld, { lease, used }),
      journal(other, { lease, used, passed: [] }),
      journal(handheld, { lease: "00", used, passed: [] }),
    ])
      await assert.rejects(custody.custody.service.returnLease({ journal: bad }, OPERATOR), { code: "lease-refused" });
    custody.now += 3_600_000;
    await custody.custody.service.returnLease({ journal: journal(handheld, { lease, used, passed: [] }) }, OPERATOR);
    const open = await exposureOf(custody, { meter: titles[0] });
    assert.deepEqual(
      open.map(({ as, until }) => [as, until === undefined]),
      [
        ["factory", false],
        ["escrow", true],
        ["carrier", true],
        ["technician", true],
      ],
    );
    for (const meter of meters) await carryTakeover(custody, meter);
    const closed = (await exposureOf(custody, { person: "ada" })).map(({ until }) => until !== undefined);
    assert.deepEqual(closed, [true, true]);
    const [state] = (await reportOf(custody)).leases;
    assert.equal(state?.state, "returned");
    assert.ok((state?.meterHours ?? 0) >= 2 && (state?.meterHours ?? 0) < 2.2, `${state?.meterHours}`);
    await assert.rejects(
      custody.custody.service.returnLease({ journal: journal(handheld, { lease, used, passed: [] }) }, OPERATOR),
      {
        code: "lease-refused",
      },
    );
    const read = await custody.custody.service.openSession({ meter: titles[0] as never, purpose: "read" }, HEAD_END);
    assert.ok(read.apdu.length > 0, "reading goes on when the lease is returned");
    const again = await give(custody);
    custody.now += 9 * 3_600_000;
    await custody.custody.sweep();
    const expired = (await reportOf(custody)).leases.find((one) => one.lease === again.lease);
    assert.equal(expired?.state, "expired");
    const { states } = await custody.custody.service.rotationStates(
      { meters: titles, filter: "all", after: undefined },
      OPERATOR,
    );
    assert.deepEqual(
      states.map(({ cause, plannedBy, phase }) => [cause, plannedBy, phase]),
      [
        ["exposure", "lease", "planned"],
        ["exposure", "lease", "planned"],
      ],
    );
  }));

test("what is looked at every few seconds is leases that are open or whose meters have no new keys yet, and of the others nothing", () => {
  const store = memoryCustodyStore();
  const asked = { ledger: 0, meters: new Set<string>() };
  const counting: CustodyStore = {
    ...store,
    ledger: {
      ...store.ledger,
      ofKinds: (kinds) => {
        if (kinds.includes(FIELD_KINDS.given)) asked.ledger += 1;
        return store.ledger.ofKinds(kinds);
      },
    },
    load: (title) => {
      asked.meters.add(title);
      return store.load(title);
    },
  };
  const lookedAt = async (custody: TestCustody) => {
    asked.ledger = 0;
    asked.meters.clear();
    custody.now += 10_000;
    await custody.custody.sweep();
    return [asked.ledger, [...asked.meters].filter((title) => TITLES.some((one) => one === title)).sort()] as const;
  };
  return withField(async (custody, [first, second], handheld) => {
    const returned = async ({ lease }: { readonly lease: string }, of: TestMeter) =>
      custody.custody.service.returnLease(
        { journal: journal(handheld, { lease, used: [{ meter: of.systemTitle, next: 0 }], passed: [] }) },
        OPERATOR,
      );
    await returned(await give(custody, { meters: [titles[0]] }), first);
    const open = await give(custody, { meters: [titles[1]] });
    assert.deepEqual(await lookedAt(custody), [0, [TITLES[0]]], "of the open one only its end is waited for");
    await carryTakeover(custody, first);
    await lookedAt(custody);
    assert.deepEqual(await lookedAt(custody), [0, []], "its meter has new keys");
    await returned(open, second);
    assert.deepEqual(await lookedAt(custody), [0, [TITLES[1]]]);
    await carryTakeover(custody, second);
    await lookedAt(custody);
    // The next process looks at each once, as does this one where the ledger turns out to have had others' entries.
    await custody.restart();
    await lookedAt(custody);
    assert.deepEqual(await lookedAt(custody), [0, []]);
    // What comes later finds its lease all the same.
    await custody.custody.service.loseHandheld({ handheld: "HH-7", reason: "left in a tram" }, OPERATOR);
    assert.deepEqual(
      (await reportOf(custody)).leases.map(({ state }) => state),
      ["lost", "lost"],
    );
    assert.deepEqual(await lookedAt(custody), [0, []]);
  }, counting);
});

test("a lost handheld is one action: its keys are compromised, its rotations go first, and it gets nothing more", () =>
  withField(async (custody, meters) => {
    await give(custody, { meters: [titles[0]] });
    custody.now += 2 * 3_600_000;
    const lost = JSON.parse(
      (await custody.custody.service.loseHandheld({ handheld: "HH-7", reason: "left on a train" }, OPERATOR)).report,
    ) as FieldReport;
    assert.deepEqual(
      lost.handhelds.map(({ state }) => state),
      ["lost"],
    );
    const [lease] = lost.leases;
    assert.deepEqual([lease?.state, lease?.meterHours, lease?.meters[0]?.rotatedAt], ["lost", 2, undefined]);
    const { meters: told } = await custody.custody.service.compromisedSince({ at: 0, meter: undefined }, HEAD_END);
    assert.deepEqual(told, [titles[0]]);
    const { states } = await custody.custody.service.rotationStates(
      { meters: [titles[0] as never], filter: "all", after: undefined },
      OPERATOR,
    );
    assert.deepEqual([states[0]?.cause, (states[0]?.risk ?? 0) >= 1000], ["compromise", true]);
    await assert.rejects(give(custody, { meters: [titles[1]] }), { code: "lease-refused" });
    await carryTakeover(custody, meters[0]);
    const done = (await reportOf(custody)).leases[0]?.meters[0];
    assert.ok(done?.rotatedAt !== undefined);
    const [exposure] = await exposureOf(custody, { person: "HH-7" });
    assert.deepEqual([exposure?.as, exposure?.until !== undefined], ["handheld lost", true]);
    await custody.restart();
    assert.deepEqual(
      (await reportOf(custody)).handhelds.map(({ state }) => state),
      ["lost"],
      "the ledger is what remembers",
    );
  }));

test("of two leases of one meter that are asked for at once one is given, and a handheld that is lost meanwhile leaves nothing trusted", () =>
  withField(async (custody) => {
    const other = newHandheld("HH-8");
    await custody.custody.service.enrolHandheld({ publicKey: other.publicKey, technician: "Ben" }, OPERATOR);
    const [first] = titles as [(typeof titles)[0]];
    const both = await Promise.allSettled(
      ["HH-7", "HH-8"].map((handheld) => give(custody, { handheld, meters: [first] })),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);

    const second = titles[1] as (typeof titles)[0];
    const [given] = await Promise.allSettled([
      give(custody, { handheld: "HH-8", meters: [second] }),
      custody.custody.service.loseHandheld({ handheld: "HH-8", reason: "left on a train" }, OPERATOR),
    ]);
    const lost = (await reportOf(custody)).leases.filter(({ handheld }) => handheld === "HH-8");
    assert.equal(
      given.status === "fulfilled",
      lost.some(({ meters }) => meters.some(({ meter }) => meter === TITLES[1])),
    );
    assert.ok(lost.every(({ state }) => state === "lost"));
  }));

test("keys that were in a lost handheld are compromised at once, also where another rotation is under way", () =>
  withField(async (custody, meters) => {
    await give(custody, { meters: [titles[0]] });
    const older = {
      meters: [titles[0] as never],
      madeBefore: undefined,
      purposes: [],
      cause: "age",
      reason: "",
    } as const;
    await custody.custody.service.planRotations(older, OPERATOR);
    await custody.custody.service.loseHandheld({ handheld: "HH-7", reason: "left on a train" }, OPERATOR);
    const { keys } = (await custody.store.load(TITLES[0])) as { keys: readonly { state: string; purpose: number }[] };
    const compromised = keys.filter(({ state }) => state === "compromised").map(({ purpose }) => purpose);
    assert.deepEqual(compromised, [0, 2]);
    await carryTakeover(custody, meters[0]);
    assert.ok((await reportOf(custody)).leases[0]?.meters[0]?.rotatedAt !== undefined);
  }));

test("killed at any commit of a lease's life, before or after, what was lent is told and replaced in the end", async () => {
  /** Begins anew after a crash, as whoever asked does: what the ledger has by then is refused a second time. */
  const insist = async (custody: TestCustody, act: () => Promise<unknown>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      await custody.restart();
      await act().catch((refusal: { readonly code?: string }) => assert.equal(refusal.code, "lease-refused"));
    }
  };
  const ends = {
    returned: async (custody: TestCustody, handheld: Handheld) => {
      // A file that never left lends nothing to anybody, and its journal will not come: such a lease runs out.
      const [lease] = (await reportOf(custody)).leases;
      const used = (lease?.meters ?? []).map(({ meter }) => ({ meter, next: firstOf(custody, meter) }));
      const read = await Promise.all(used.map(async ({ meter, next }) => ({ meter, next: await next })));
      await custody.custody.service.returnLease(
        { journal: journal(handheld, { lease: lease?.lease, used: read, passed: [] }) },
        OPERATOR,
      );
    },
    lost: (custody: TestCustody) =>
      custody.custody.service.loseHandheld({ handheld: "HH-7", reason: "left on a train" }, OPERATOR),
    expired: async (custody: TestCustody) => {
      custody.now += 9 * 3_600_000;
      await custody.custody.sweep();
    },
  };
  for (const [state, end] of Object.entries(ends)) {
    const played = async (at: number | undefined, when: "before" | "after"): Promise<number> => {
      let commits = 0;
      await withField(async (custody, meters, handheld) => {
        const told = `${state}, killed ${when} commit ${at}`;
        custody.crashAt(at, when);
        await insist(custody, () => give(custody));
        await insist(custody, () => end(custody, handheld));
        commits = custody.commits;
        custody.crashAt(undefined, when);
        await custody.custody.sweep();
        assert.deepEqual(
          (await reportOf(custody)).leases.map((lease) => [lease.state, lease.meters.length]),
          [[state, 2]],
          told,
        );
        for (const meter of meters) await carryTakeover(custody, meter);
        const [lease] = (await reportOf(custody)).leases;
        assert.ok(
          lease?.meters.every(({ rotatedAt }) => rotatedAt !== undefined),
          told,
        );
        await give(custody, { handheld: "HH-7" }).then(
          () => assert.notEqual(state, "lost", told),
          (refusal: { readonly code?: string }) =>
            assert.deepEqual([state, refusal.code], ["lost", "lease-refused"], told),
        );
      });
      return commits;
    };
    const commits = await played(undefined, "before");
    assert.ok(commits >= 3, `${state}: ${commits} commits`);
    for (let at = 0; at < commits; at += 1) for (const when of ["before", "after"] as const) await played(at, when);
  }
});

/** The first counter that the newest lease has of a meter. */
async function firstOf({ store }: TestCustody, meter: string): Promise<number> {
  const entry = (await store.ledger.read(0, 10_000)).findLast(({ kind }) => kind === "lease-given");
  const { terms } = JSON.parse(entry?.body ?? "{}") as { readonly terms: LeaseTerms };
  return terms.meters.find((one) => one.meter === meter)?.first ?? 0;
}
