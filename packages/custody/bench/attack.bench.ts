import assert from "node:assert/strict";
import { attackFleet } from "../src/testing/mass-attack.ts";

// `npm run bench -- attack`: 300 000 homes in one manifest that two people were fooled to sign, by a head-end that was taken over, at a
// custodian in a process of its own. The homes are records; so many meters as the caps allow three times are there and asked.

const HOMES = 300_000;
const METERS = 200;
const MOST_EXECUTED = 100;

const began = performance.now();
const { dark, answers, entries, manifest, capMilliseconds, submitMilliseconds } = await attackFleet({
  fleet: HOMES,
  targets: HOMES,
  meters: METERS,
});
const sealed = entries.filter(({ kind }) => kind === "critical-sealed");
const refusals = answers.filter(({ kind }) => kind === "refused");
assert.ok(dark.length <= MOST_EXECUTED, `${dark.length} homes are dark`);
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
  `${HOMES.toLocaleString("en")} homes in one manifest, handed over and read in ${(submitMilliseconds / 1000).toFixed(1)} s\n` +
    `${METERS} meters asked with true tokens: ${dark.length} dark, ${refusals.length} refused, the first by a cap ${((capMilliseconds ?? 0) / 1000).toFixed(1)} s after the first was sealed\n` +
    `each of those that went dark has its entry, with manifest, requester and who signed\n` +
    `${((performance.now() - began) / 1000).toFixed(0)} s in all`,
);
