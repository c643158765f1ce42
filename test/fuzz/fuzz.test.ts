import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@meterkeep/dlms";
import { runCampaign, TARGETS } from "./campaign.ts";
import { findSeeds } from "./seeds.ts";

const INPUTS = 4000;
const seeds = findSeeds();
const seed = Date.now() % 1_000_000;

for (const target of TARGETS)
  test(`${target.name}: whatever comes in, a value or an error with a code comes out (seed ${seed})`, () => {
    const { findings } = runCampaign(target, seeds, INPUTS, seed);
    assert.deepEqual(
      findings.map(({ what, input }) => `${what}: ${toHex(input)}`),
      [],
    );
  });
