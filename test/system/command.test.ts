import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { test } from "node:test";
import type { CampaignView } from "@meterkeep/api";
import { startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

/** The billing office of the town writes something down. */
async function office(stateDirectory: string, path: string, body: unknown): Promise<void> {
  const sent = request({ socketPath: `${stateDirectory}/town/billing.sock`, method: "PUT", path });
  sent.end(JSON.stringify(body));
  const [response] = (await once(sent, "response")) as [{ statusCode: number; resume(): void }];
  response.resume();
  assert.equal(response.statusCode, 204);
}

test("two people switch a home off and on again: one asks, another signs, and the reach is told", async () => {
  await using meterkeep = await startMeterkeep({ meters: 20 });
  const { stateDirectory } = meterkeep;
  const town = townControl(stateDirectory);
  const run = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await meterkeep.command(args);
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const keys = ["anna", "ben"].map((id) => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
    const file = `${stateDirectory}/operator/${id}.pem`;
    writeFileSync(file, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
    return { id, file };
  });
  for (const { id, file } of keys)
    await run(
      "approvers",
      "enrol",
      id,
      "--name",
      id,
      "--roles",
      id === "anna" ? "operations" : "security",
      "--key",
      file,
    );
  const approve = async (hash: string, who: readonly { id: string; file: string }[]): Promise<void> => {
    for (const { id, file } of who) await run("approve", hash, "--as", id, "--key", file);
  };
  const { name, publicKey } = JSON.parse(await run("command", "policy-service", "--json"));
  const planned = JSON.parse(
    await run("change", "plan", "enrol-policy-service", JSON.stringify({ name, publicKey }), "--json"),
  ) as { hash: string };
  await approve(planned.hash, keys);
  assert.equal(JSON.parse(await run("command", "policy-service", "--json")).enrolled, true);

  const home = await until("a home whose keys were taken over", async () => {
    const meters = JSON.parse(await run("meter", "list", "--json")) as {
      meters?: readonly { systemTitle: string; takeover: string; supply: string }[];
    };
    const all = meters.meters ?? (meters as unknown as NonNullable<typeof meters.meters>);
    return all.find(({ takeover, supply }) => takeover === "proven" && supply === "connected");
  });
  const meter = home.systemTitle;
  const view = async (id: string) => JSON.parse(await run("command", "show", id, "--json")) as CampaignView;
  const ask = async (...args: string[]) => JSON.parse(await run("command", "ask", ...args, "--json")) as CampaignView;
  const supplied = async () => (await town.truth()).find(({ systemTitle }) => systemTitle === meter)?.supplied;

  const without = await ask("disconnect", meter, "--reason", "safety");
  assert.equal(without.campaign.state, "quarantined");
  assert.ok(without.dryRun.findings.some(({ rule }) => rule === "MC-10"));
  const day = 86_400_000;
  await office(stateDirectory, "/work-orders/WO-1", {
    reason: "safety",
    meters: [meter],
    notBefore: new Date(Date.now() - day).toISOString(),
    notAfter: new Date(Date.now() + day).toISOString(),
  });
  const carryOut = async (asked: CampaignView): Promise<CampaignView> => {
    const { id, state } = asked.campaign;
    assert.equal(state, "awaiting-approval", JSON.stringify(asked.dryRun));
    const hash = asked.manifest?.hash ?? "";
    await until("the manifest is at the custodian", async () => (await view(id)).manifest?.people === 1 || undefined);
    await approve(hash, keys.slice(0, 1));
    return until("the campaign has ended", async () => {
      const now = await view(id);
      return ["done", "stopped", "expired"].includes(now.campaign.state) ? now : undefined;
    });
  };
  const off = await carryOut(await ask("disconnect", meter, "--reason", "safety", "--work-order", "WO-1"));
  assert.equal(off.campaign.state, "done", JSON.stringify(off));
  assert.equal(await supplied(), false);
  const on = await carryOut(await ask("reconnect", meter, "--reason", "restore"));
  assert.equal(on.campaign.state, "done", JSON.stringify(on));
  assert.equal(await supplied(), true);
  assert.match(await run("blast"), /policy-service policy: 0 of 20 meters/);
});
