import assert from "node:assert/strict";
import { test } from "node:test";
import { attackFleet } from "../testing/mass-attack.ts";

const METERS = 25;
/** MC-02: of 30 000 homes. */
const CAP = 10;

test("MC-02, MC-20: a head-end that was taken over, with true tokens for a manifest that people signed, gets the cap and no more from a custodian in a process of its own, and each home says whose it was", async () => {
  const { dark, answers, entries, manifest } = await attackFleet({ fleet: 30_000, targets: 3_000, meters: METERS });
  assert.equal(dark.length, CAP);
  const refused = answers.slice(CAP);
  assert.equal(refused.length, METERS - CAP);
  assert.ok(refused.every((answer) => answer.kind === "refused" && answer.code === "cap-reached"));
  const sealed = entries.filter(({ kind }) => kind === "critical-sealed");
  assert.deepEqual(sealed.map(({ meter }) => meter).toSorted(), dark.toSorted());
  for (const { principal, body } of sealed) {
    const { manifest: under, requester, approvedBy } = JSON.parse(body) as Record<string, unknown>;
    assert.deepEqual([principal, under, requester, approvedBy], ["head-end", manifest, "Rita", ["Anna", "Ben"]]);
  }
  // Those that were refused stand in the ledger as well, each with its meter.
  const told = new Set(entries.filter(({ kind }) => kind === "seal-refused").map(({ meter }) => meter));
  assert.equal(told.size, METERS - CAP);
});
