import assert from "node:assert/strict";
import { test } from "node:test";
import type { BlastRadius, CampaignView } from "@meterkeep/api";
import { approve, enrolKeyHolder, planPolicyService, said } from "../src/authority.ts";
import { workOrder } from "../src/billing-office.ts";
import { readyHomes } from "../src/ready-homes.ts";
import { startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

/** Meters are taken over and switched meanwhile, on a machine that may be busy. */
const PATIENCE_MS = 300_000;

test("two people switch a home off and on again: one asks, another signs, and the reach is told", async () => {
  await using meterkeep = await startMeterkeep({ meters: 20 });
  const { stateDirectory } = meterkeep;
  const town = townControl(stateDirectory);
  const anna = await enrolKeyHolder(meterkeep, "anna", "anna", "operations");
  const ben = await enrolKeyHolder(meterkeep, "ben", "ben", "security");
  await approve(meterkeep, await planPolicyService(meterkeep), anna, ben);
  assert.equal((await said<{ enrolled: boolean }>(meterkeep, "command", "policy-service")).enrolled, true);

  const [meter = ""] = await readyHomes(meterkeep, 1);
  const view = (id: string) => said<CampaignView>(meterkeep, "command", "show", id);
  const ask = (...args: string[]) => said<CampaignView>(meterkeep, "command", "ask", ...args);
  const supplied = async () => (await town.truth()).find(({ systemTitle }) => systemTitle === meter)?.supplied;

  const without = await ask("disconnect", meter, "--reason", "safety");
  assert.equal(without.campaign.state, "quarantined");
  assert.ok(without.dryRun.findings.some(({ rule }) => rule === "MC-10"));
  await workOrder(stateDirectory, "WO-1", "safety", [meter]);
  const carryOut = async (asked: CampaignView): Promise<CampaignView> => {
    const { id, state } = asked.campaign;
    assert.equal(state, "awaiting-approval", JSON.stringify(asked.dryRun));
    const hash = asked.manifest?.hash ?? "";
    const patience = { patienceMs: PATIENCE_MS, everyMs: 500 };
    await until("the manifest is at the custodian", async () => (await view(id)).manifest?.people === 1, patience);
    await approve(meterkeep, hash, anna);
    return until(
      "the campaign has ended",
      async () => {
        const now = await view(id);
        return ["done", "stopped", "expired"].includes(now.campaign.state) && now;
      },
      patience,
    );
  };
  const off = await carryOut(await ask("disconnect", meter, "--reason", "safety", "--work-order", "WO-1"));
  assert.equal(off.campaign.state, "done", JSON.stringify(off));
  assert.equal(await supplied(), false);
  const on = await carryOut(await ask("reconnect", meter, "--reason", "restore"));
  assert.equal(on.campaign.state, "done", JSON.stringify(on));
  assert.equal(await supplied(), true);
  const { reach, used } = await said<BlastRadius>(meterkeep, "blast");
  assert.deepEqual([used.day, used.dayCap], [1, 2]);
  assert.equal(reach.find(({ kind }) => kind === "policy-service")?.meters, 0);
});
