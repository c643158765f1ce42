import assert from "node:assert/strict";
import { attackFleet } from "../src/testing/mass-attack.ts";

// `npm run bench -- attack`: 300 000 homes in one manifest that two people were fooled to sign, by a head-end that was taken over, at a
// custodian in a process of its own over PostgreSQL. Each home is there with its keys, MACs and journal; so many meters as the
// caps allow three times are on a line and asked.

const HOMES = 300_000;
const METERS = 200;
const MOST_EXECUTED = 100;

const began = performance.now();
const attacked = await attackFleet({
  fleet: HOMES,
  targets: HOMES,
  meters: METERS,
  kept: "postgres",
});
const { dark, answers, entries, manifest, counted, countMilliseconds, capMilliseconds, submitMilliseconds } = attacked;
const sealed = entries.filter(({ kind }) => kind === "critical-sealed");
const refusals = answers.filter(({ kind }) => kind === "refused");
assert.equal(counted, HOMES, "the custodian counts every home that is in its database");
assert.ok(dark.length > 0 && dark.length <= MOST_EXECUTED, `${dark.length} homes are dark`);
assert.equal(dark.length + refusals.length, METERS);
const told = new Set(entries.filter(({ kind }) => kind === "seal-refused").map(({ meter }) => meter));
assert.equal(told.size, refusals.length, "each that was refused stands in the ledger");
for (const home of dark) {
  const entry = sealed.find(({ meter }) => meter === home);
  const body = JSON.parse(entry?.body ?? "{}") as Record<string, unknown>;
  assert.deepEqual(
    [body["manifest"], body["requester"], body["approvedBy"]],
    [manifest, "Rita", ["Anna", "Ben"]],
    home,
  );
}
console.log(
  `${counted.toLocaleString("en")} homes in PostgreSQL, counted and 256 of them looked at whole in ${(countMilliseconds / 1000).toFixed(1)} s\n` +
    `${HOMES.toLocaleString("en")} homes in one manifest, handed over and read in ${(submitMilliseconds / 1000).toFixed(1)} s\n` +
    `${METERS} meters asked with true tokens: ${dark.length} dark, ${refusals.length} refused, the first by a cap ${((capMilliseconds ?? 0) / 1000).toFixed(1)} s after the first was sealed\n` +
    `each of those that went dark has its entry, with manifest, requester and who signed\n` +
    `${((performance.now() - began) / 1000).toFixed(0)} s in all`,
);
