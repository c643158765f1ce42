import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthorityWorld } from "../testing/authority-world.ts";
import { headEndFor } from "../testing/key-service-bench.ts";
import { testCredential } from "../testing/test-credential.ts";
import { caller, withTestCustody } from "../testing/test-custody.ts";

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
