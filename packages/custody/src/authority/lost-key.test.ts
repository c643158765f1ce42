import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthorityWorld, OPERATOR, person, signed } from "../testing/authority-world.ts";
import { HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { lossHash } from "./lost-key.ts";

/** Three who approve, of whom one has lost her key and makes another one. */
async function withLoss(
  body: (parts: {
    readonly custody: TestCustody;
    readonly world: AuthorityWorld;
    readonly cleo: ReturnType<typeof person>;
    /** The change that puts Anna's new key in the place of the lost one. */
    readonly ask: (change?: object) => Promise<string>;
    readonly renewed: ReturnType<typeof person>;
  }) => Promise<void>,
): Promise<void> {
  await withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const cleo = person("Cleo", "audit");
    const { change } = await world.enrol(cleo);
    for (const who of [world.anna, world.ben]) await world.approve(change as string, who);
    const renewed = { ...person("Anna", "operations"), id: "anna-2" };
    const ask = async (more: object = {}) => {
      const { id, name, roles, key, publicKey } = renewed;
      const { statement } = await world.service.statement({ decision: "enrol", hash: "", approver: id }, OPERATOR);
      const approval = signed({ key }, statement);
      const request = { id, name, roles: [...roles], publicKey, approval, replaces: "anna", ...more };
      const outcome = await world.service.enrolApprover(request, OPERATOR);
      assert.equal(outcome.enrolled, false, "nobody is replaced by whoever runs the machine");
      return outcome.change as string;
    };
    await body({ custody, world, cleo, ask, renewed });
  });
}

const idsOf = async (world: AuthorityWorld) =>
  (await world.service.authorityState({}, HEAD_END)).approvers.map(({ id }) => id).sort();

test("a lost key is replaced by what two others sign, at once and with the same rights", () =>
  withLoss(async ({ custody, world, cleo, ask, renewed }) => {
    await world.service.suspendApprover({ approver: "anna", reason: "she has lost it" }, HEAD_END);
    const change = await ask();
    await world.approve(change, world.ben);
    assert.deepEqual(await idsOf(world), ["anna", "ben", "cleo"], "one is not enough");
    await world.approve(change, cleo);
    assert.deepEqual(await idsOf(world), ["anna-2", "ben", "cleo"]);
    // The new key counts, and the lost one for nothing.
    custody.now += 1000;
    const next = await world.plan("thaw", { since: 1 }).catch((error: { code?: string }) => error.code);
    assert.equal(next, "change-refused", "nothing is frozen");
    const policy = { name: "another", publicKey: Buffer.from(person("x", "y").publicKey).toString("hex") };
    const hash = await world.plan("enrol-policy-service", policy);
    await assert.rejects(world.approve(hash, world.anna), { code: "approval-refused" });
    await world.approve(hash, renewed);
    await world.approve(hash, world.ben);
    const entries = (await custody.store.ledger.read(0, 10_000)).filter(({ kind }) => kind === "change-executed");
    assert.ok(entries.some(({ body }) => body.includes("replace-approver")));
  }));

test("another approver says with a signature that a key is lost: it counts for nothing at once, and its person is asked for another", () =>
  withLoss(async ({ custody, world, cleo }) => {
    const { authority } = custody.custody;
    const said = async (by: Pick<typeof cleo, "id" | "key">, lost: string, about = lost) => {
      const request = { decision: "lost", hash: lossHash(about), approver: by.id } as const;
      const { statement } = await world.service.statement(request, OPERATOR);
      return authority.reportLoss(signed(by, statement), lost);
    };
    const refused = { code: "approval-refused" };
    await assert.rejects(said(person("Mallory", "audit"), "anna"), refused);
    await assert.rejects(said(cleo, "anna", "ben"), refused, "what was signed is about another");
    await assert.rejects(said(world.anna, "anna"), { code: "change-refused" }, "whoever found it has it too");
    assert.deepEqual(await said(cleo, "anna"), {
      id: "anna-2",
      name: "Anna",
      roles: ["operations"],
      replaces: "anna",
    });
    await assert.rejects(said(world.anna, "ben"), refused, "nothing of hers counts");
    await assert.rejects(said(cleo, "ben"), { code: "change-refused" }, "two have to be left");
    const entries = (await custody.store.ledger.read(0, 10_000)).filter(({ kind }) => kind === "approver-suspended");
    assert.deepEqual(
      entries.map(({ principal }) => principal),
      ["Cleo"],
    );
  }));

test("neither the lost key nor the new one votes on it, nor is anybody else, or anybody with more rights, put in its place", () =>
  withLoss(async ({ world, ask, renewed }) => {
    const change = await ask();
    // Whoever found the lost key is Anna to the custodian, who asks.
    await assert.rejects(world.approve(change, world.anna), { code: "approval-refused" });
    await assert.rejects(world.approve(change, renewed), { code: "approval-refused" });
    await assert.rejects(ask({ roles: ["operations", "security"] }), { code: "change-refused" });
    await assert.rejects(ask({ name: "Mallory" }), { code: "change-refused" });
    await assert.rejects(ask({ replaces: "nobody" }), { code: "change-refused" });
    await assert.rejects(ask({ replaces: "anna", id: "anna" }), { code: "approval-refused" });
    assert.deepEqual(await idsOf(world), ["anna", "ben", "cleo"]);
  }));
