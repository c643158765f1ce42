import assert from "node:assert/strict";
import { test } from "node:test";
import { ForeignEntries } from "@meterkeep/ledger";
import { AuthorityWorld } from "../testing/authority-world.ts";
import { headEndFor } from "../testing/key-service-bench.ts";
import { testCredential } from "../testing/test-credential.ts";
import { caller, withTestCustody } from "../testing/test-custody.ts";
import { ENROLLED, HeadEnds, REMOVED } from "./head-ends.ts";

const OPERATOR = caller("operator");

test("once people approve, a head-end is enrolled when they have agreed to that very record, and taken away by the operator alone", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const { service } = custody.custody;
    const headEnd = headEndFor("acme", testCredential("acme").certificate);
    const wanted = { code: "approval-required", message: /let the head-end acme .* in stadtwerke, all meters/ };
    await assert.rejects(service.enrolHeadEnd({ headEnd, reason: "a test" }, OPERATOR), wanted);
    assert.deepEqual((await service.headEnds({}, OPERATOR)).headEnds, []);
    const { changes } = await service.changes({ limit: 50 }, OPERATOR);
    const planned = changes.find(({ kind }) => kind === "enrol-head-end");
    assert.ok(planned !== undefined);
    for (const who of [world.anna, world.ben]) await world.approve(planned.hash, who);
    const wider = { ...headEnd, limits: { ...headEnd.limits, sessions: 9_999 } };
    await assert.rejects(service.enrolHeadEnd({ headEnd: wider, reason: "a test" }, OPERATOR), {
      code: "approval-required",
    });
    await service.enrolHeadEnd({ headEnd, reason: "a test" }, OPERATOR);
    assert.deepEqual(
      (await service.headEnds({}, OPERATOR)).headEnds.map(({ headEnd: { name } }) => name),
      ["acme"],
    );
    await assert.rejects(service.enrolHeadEnd({ headEnd, reason: "again" }, OPERATOR), { code: "approval-required" });
    await service.removeHeadEnd({ name: "acme", reason: "a test" }, OPERATOR);
    assert.deepEqual((await service.headEnds({}, OPERATOR)).headEnds, []);
  }));

test("a number that is missing among the records is told of, where nobody knows yet which entry was hidden, and counts when it is there again", () =>
  withTestCustody(async ({ store, custody, vault }) => {
    for (const name of ["one", "two"]) {
      const headEnd = headEndFor(name, testCredential(name).certificate);
      await custody.service.enrolHeadEnd({ headEnd, reason: "a test" }, OPERATOR);
    }
    await custody.service.removeHeadEnd({ name: "one", reason: "broken into" }, OPERATOR);
    const headEnd = headEndFor("three", testCredential("three").certificate);
    await custody.service.enrolHeadEnd({ headEnd, reason: "a test" }, OPERATOR);
    const records = await store.ledger.ofKinds([ENROLLED, REMOVED]);
    const [, before, removal, next] = records.map(({ sequence }) => sequence) as [number, number, number, number];
    const again = async (...hidden: readonly number[]) => {
      let isHidden = (sequence: number) => hidden.includes(sequence);
      const ledger = {
        foreign: new ForeignEntries(),
        ofKinds: async () => records.filter(({ sequence }) => !isHidden(sequence)),
      };
      const headEnds = new HeadEnds({
        ...custody,
        ledger,
        committer: { submit: async () => undefined },
        vault,
      } as never);
      await headEnds.open();
      const names = () => headEnds.list().headEnds.map((one) => one.headEnd.name);
      const { findings: found } = ledger.foreign;
      const { revision } = headEnds;
      const atFirst = names();
      isHidden = () => false;
      await headEnds.readAgain();
      assert.deepEqual(names(), ["two", "three"]);
      assert.equal(headEnds.revision !== revision, hidden.length > 0, "who was found before must be looked for again");
      // What is known is not forgotten for an answer that leaves something out.
      isHidden = (sequence) => sequence === removal;
      await headEnds.readAgain();
      assert.deepEqual(names(), ["two", "three"]);
      return { found, names: atFirst };
    };
    assert.deepEqual(await again(), { found: [], names: ["two", "three"] });
    assert.deepEqual(await again(removal), {
      found: [{ from: before + 1, to: next - 1, fault: "replaced" }],
      names: ["one", "two", "three"],
    });
    assert.deepEqual((await again(next)).names, ["two"]);
  }));
