import assert from "node:assert/strict";
import { test } from "node:test";
import { PROFILES, type RevocationMove } from "@meterkeep/pki";
import { freshKey, PLACE, testTitle, withTestPki } from "../testing/test-pki.ts";

for (const moves of [
  ["start", "withdraw"],
  ["withdraw", "start"],
] as const satisfies RevocationMove[][])
  test(`of ${moves.join(" and ")} at once the first counts, for good, and the ledger has no other`, () =>
    withTestPki(async (bench) => {
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const { octets } = await bench.pki.authorities.issue({
        authority,
        profile: PROFILES.get("dlms-suite-1-signature")!,
        subject: { systemTitle: testTitle(1) },
        publicKey: freshKey().publicKey,
        requester: "line-1",
      });
      const { id } = await bench.pki.revocations.plan({ authority }, "cACompromise", "anna");
      const ends = await Promise.allSettled(moves.map((move) => bench.pki.revocations.move(id, move, "anna")));
      assert.deepEqual(
        ends.map(({ status }) => status),
        ["fulfilled", "rejected"],
      );
      const moved = bench.ledger
        .filter(({ kind }) => kind === "revocation-moved")
        .map(({ body }) => (body as { move: string }).move);
      assert.deepEqual(moved, [moves[0]]);
      const isStarted = moves[0] === "start";
      for (let round = 0; round < 2; round += 1) {
        await bench.pki.tend();
        const [plan] = await bench.pki.revocations.list();
        assert.equal(plan?.state, isStarted ? "done" : "withdrawn");
        assert.equal((await bench.pki.examine(octets, "digitalSignature")).isTrusted, !isStarted);
        assert.equal((await bench.pki.revocations.heldBy([authority])) !== undefined, isStarted);
        await bench.reopen();
      }
    }));

test("who lost against somebody else writes nothing that the journal never forgets", () =>
  withTestPki(async (bench) => {
    const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
    const { id } = await bench.pki.revocations.plan({ authority }, "cACompromise", "anna");
    const planned = { stage: "refuse", state: "planned" } as const;
    await bench.pki.revocations.move(id, "start", "anna");
    const isMoved = await bench.pki.store.plans.move(id, planned, { ...planned, state: "withdrawn", finished: 0 });
    assert.equal(isMoved, false);
    await bench.reopen();
    assert.equal((await bench.pki.revocations.list())[0]?.state, "running");
  }));
