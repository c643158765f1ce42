import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { BlastRadius, CampaignView, LedgerPage } from "@meterkeep/api";
import { DEFAULT_COMMAND_RULES, isOffAllowed } from "@meterkeep/guard";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { entriesAfter, heldBy } from "../src/attack.ts";
import { approve, enrolKeyHolder, type KeyHolder, planPolicyService, said } from "../src/authority.ts";
import { billingOffice, forecast } from "../src/billing-office.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { stolenHeadEnd } from "../src/stolen-head-end.ts";
import { type MeterTruth, townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

/** Meters are taken over and switched meanwhile, on a machine that may be busy. */
const PATIENCE = { patienceMs: 300_000 };

const HOUR = 3_600_000;
const WEEK = 7 * 24 * HOUR;
/** Nobody is switched off at night or on a Sunday: from then on somebody may be for two hours, and that is what time it is here. */
const OFFICE_HOUR = ((): number => {
  const { calendar } = DEFAULT_COMMAND_RULES;
  let at = Date.now();
  while (![at, at + HOUR, at + 2 * HOUR].every((moment) => isOffAllowed(calendar, moment))) at += HOUR / 4;
  return at;
})();

let meterkeep: Meterkeep;
let api: ApiClient;
let anna: KeyHolder;
let ben: KeyHolder;
let cleo: KeyHolder;
/** Homes of two feeders: one owes money and is switched by two people, a whole feeder is limited by three. */
let home: string;
let feeder: string;
let others: readonly string[];

before(async () => {
  meterkeep = await startMeterkeep({ meters: 20, aheadMs: Math.max(0, OFFICE_HOUR - Date.now()) });
  api = await ownerClient(meterkeep, "read", "who watches");
  anna = await enrolKeyHolder(meterkeep, "anna", "anna", "operations");
  ben = await enrolKeyHolder(meterkeep, "ben", "ben", "security");
  cleo = await enrolKeyHolder(meterkeep, "cleo", "cleo", "audit", anna, ben);
  await approve(meterkeep, await planPolicyService(meterkeep), anna, ben);
  assert.equal((await said<{ enrolled: boolean }>(meterkeep, "command", "policy-service")).enrolled, true);
  const homes = (await truth()).filter(({ role, depotPort }) => role === "home" && depotPort === null);
  const [first = [], second = []] = Map.groupBy(homes, (each) => each.feeder).values();
  [home, feeder] = [first[0]?.systemTitle ?? "", second[0]?.feeder ?? ""];
  others = second.map(({ systemTitle }) => systemTitle);
  await until(
    "these homes are in service",
    async () => {
      const all = await api.meters();
      const ready = all.filter(({ takeover, supply }) => takeover === "proven" && supply === "connected");
      const titles = new Set(ready.map(({ systemTitle }) => systemTitle));
      return [home, ...others].every((title) => titles.has(title));
    },
    PATIENCE,
  );
});
after(() => meterkeep?.stop());

const truth = (): Promise<readonly MeterTruth[]> => townControl(meterkeep.stateDirectory).truth();
const truthOf = async (title: string): Promise<MeterTruth> => {
  const found = (await truth()).find(({ systemTitle }) => systemTitle === title);
  assert.ok(found);
  return found;
};
const view = (id: string): Promise<CampaignView> => api.call("campaign", { params: { id } });
const ask = (...args: string[]) => said<CampaignView>(meterkeep, "command", "ask", ...args);
const rulesOf = ({ dryRun }: CampaignView) => [...new Set(dryRun.findings.map(({ rule }) => rule))].sort();

/** Has these people sign it, once the custodian has it. */
async function signed(asked: CampaignView, ...who: readonly KeyHolder[]): Promise<void> {
  const { id, state } = asked.campaign;
  assert.equal(state, "awaiting-approval", JSON.stringify(asked.dryRun));
  const people = await until(
    "the manifest is at the custodian",
    async () => (await view(id)).manifest?.people || undefined,
    PATIENCE,
  );
  assert.equal(people, who.length, asked.campaign.words);
  await approve(meterkeep, asked.manifest?.hash ?? "", ...who);
}

async function carriedOut(asked: CampaignView, ...who: readonly KeyHolder[]): Promise<CampaignView> {
  await signed(asked, ...who);
  const ended = await until(
    `"${asked.campaign.words}" has ended`,
    async () => {
      const now = await view(asked.campaign.id);
      return ["done", "stopped", "expired"].includes(now.campaign.state) && now;
    },
    PATIENCE,
  );
  assert.equal(ended.campaign.state, "done", JSON.stringify(ended));
  return ended;
}

test("a cut for debts waits for order, debt, notice and weather, silence refuses it, and when all are there it takes two people: one asks, another signs, and it is carried out, read back, and given back", async () => {
  const { stateDirectory } = meterkeep;
  const clerk = await ownerClient(meterkeep, "request", "clerk");
  const cut = (order?: string) =>
    clerk.call("createCommand", {
      body: {
        operation: "disconnect",
        selection: { kind: "list", meters: [home] },
        reason: "arrears",
        ...(order !== undefined && { workOrder: order }),
      },
    });
  const account = (facts: object) => billingOffice(stateDirectory, `/accounts/${home}`, facts);
  await forecast(stateDirectory, 12, 21);
  assert.deepEqual(heldBy(await cut()), ["MC-10", "MC-11"]);
  await billingOffice(stateDirectory, "/work-orders/WO-DEBT", {
    reason: "arrears",
    meters: [home],
    notBefore: new Date(Date.now() - HOUR).toISOString(),
    notAfter: new Date(OFFICE_HOUR + WEEK).toISOString(),
  });
  assert.deepEqual(heldBy(await cut("WO-DEBT")), ["MC-10", "MC-11"], "it names a home that owes nothing");
  await account({ inArrears: true });
  assert.deepEqual(heldBy(await cut("WO-DEBT")), ["MC-11"]);
  await account({ inArrears: true, notifiedAt: new Date(Date.now() - 25 * HOUR).toISOString() });
  await forecast(stateDirectory, -4, 3);
  assert.deepEqual(heldBy(await cut("WO-DEBT")), ["MC-08"]);
  await forecast(stateDirectory, 12, 21);
  // The office is in the town's process, which says nothing now.
  process.kill(meterkeep.pids()["town"] as number, "SIGSTOP");
  try {
    const silent = await cut("WO-DEBT");
    assert.equal(silent.campaign.state, "quarantined");
    assert.ok(
      silent.dryRun.findings.some(
        ({ rule, sentence }) => rule === "MC-10" && /billing system does not answer/.test(sentence),
      ),
      JSON.stringify(silent.dryRun.findings),
    );
  } finally {
    process.kill(meterkeep.pids()["town"] as number, "SIGCONT");
  }
  const asked = await cut("WO-DEBT");
  assert.deepEqual([heldBy(asked), asked.campaign.state], [[], "awaiting-approval"], JSON.stringify(asked.dryRun));
  assert.equal((await truthOf(home)).supplied, true);
  await carriedOut(asked, anna);
  assert.equal((await truthOf(home)).supplied, false);
  const { targets } = await api.call("campaignTargets", { params: { id: asked.campaign.id } });
  assert.deepEqual(
    targets.map(({ meter, state, supply }) => [meter, state, supply]),
    [[home, "done", "disconnected"]],
  );
  // The debt is paid.
  await account({ inArrears: false });
  await carriedOut(await ask("reconnect", home, "--reason", "restore"), anna);
  assert.equal((await truthOf(home)).supplied, true);
  const { reach, used } = await said<BlastRadius>(meterkeep, "blast");
  assert.deepEqual([used.day, used.dayCap], [1, 2]);
  assert.equal(reach.find(({ kind }) => kind === "policy-service")?.meters, 0);
});

test("a feeder is limited by the grid when three have lifted the caps and three have signed; its injection is stopped, and let go on", async () => {
  const limit = () => ask("grid-limit", "--feeder", feeder, "--reason", "grid", "--emergency");
  const held = await limit();
  assert.equal(held.campaign.state, "quarantined");
  assert.ok(
    ["MC-01", "MC-02", "MC-03"].every((rule) => rulesOf(held).includes(rule)),
    rulesOf(held).join(),
  );
  const lifting = await said<{ hash: string }>(
    meterkeep,
    ...["break-glass", "--minutes", "60", "--reason", "the line sags"],
  );
  await approve(meterkeep, lifting.hash, anna, ben, cleo);
  const asked = await limit();
  assert.equal(asked.dryRun.targets, others.length);
  assert.ok((await truth()).every(({ limited }) => !limited));
  await signed(asked, anna, ben, cleo);
  const began = Date.now();
  await until(
    "every home of the feeder is limited",
    async () => (await truth()).every(({ systemTitle, limited }) => limited === others.includes(systemTitle)),
    PATIENCE,
  );
  console.log(`# a feeder of ${others.length} homes was limited ${Date.now() - began} ms after the third signature`);
  // One home is given back and feeds in no more for a while: each flow for itself, and giving back takes one person.
  const [one = ""] = others;
  const turned = (turn: string) =>
    ask("injection-control", one, "--reason", "grid", "--emergency", "--parameters", JSON.stringify({ turn }));
  const off = await carriedOut(await turned("off"), anna, ben, cleo);
  assert.deepEqual([off.dryRun.direction, (await truthOf(one)).feeding], ["feed-off", false]);
  const on = await carriedOut(await turned("on"), anna);
  assert.deepEqual([on.dryRun.direction, (await truthOf(one)).feeding], ["feed-on", true]);
});

const isFrozenRefusal = ({ kind, body }: LedgerPage["entries"][number]): boolean =>
  kind === "seal-refused" && (JSON.parse(body) as { code?: string }).code === "frozen";

test("the kill switch stops a campaign that is under way, and the custodian's next answer to a thief is no", async () => {
  // Before it begins: the head-end may be reading the home, and who comes then waits.
  await using thief = await stolenHeadEnd(meterkeep.stateDirectory, await truthOf(home));
  assert.equal(await thief.ask(), "command-token-not-accepted");
  const { size } = (await api.call("ledger", { query: { source: "custodian", limit: 1 } })).head!;
  // A few of a transformer a minute: there is time to think better of it.
  const restoring = await ask("grid-restore", "--feeder", feeder, "--reason", "restore");
  await signed(restoring, anna);
  await until(
    "the first home is given back",
    async () => {
      const limited = (await truth()).filter((each) => each.limited);
      return limited.length < others.length;
    },
    PATIENCE,
  );
  await thief.beginReading();
  const began = Date.now();
  const frozen = said(meterkeep, "kill-switch", "on", "--reason", "enough");
  await until("the custodian refuses whatever comes", async () => (await thief.ask()) === "frozen", { everyMs: 20 });
  const milliseconds = Date.now() - began;
  await frozen;
  console.log(`# the first refusal was ${milliseconds} ms after the command was begun`);
  // The custodian's own ledger: who has thrown it, that a thief was refused for it, and that nothing is sealed from there on.
  // It stops first and writes then, so that a refusal may stand before the switch itself.
  const entries = await until(
    "the refusal stands in the custodian's ledger",
    async () => {
      const since = await entriesAfter(api, "custodian", size);
      return since.some(isFrozenRefusal) && since;
    },
    PATIENCE,
  );
  const thrown = entries.find(({ kind }) => kind === "kill-switch-on");
  assert.ok(thrown);
  assert.ok(!entries.some(({ kind, sequence }) => kind === "critical-sealed" && sequence > thrown.sequence));

  const paused = await until(
    "the campaign is paused",
    async () => {
      const now = await view(restoring.campaign.id);
      return now.campaign.state === "paused" && now;
    },
    PATIENCE,
  );
  assert.match(paused.campaign.sentence, /^Frozen/);
  const shown = await said<CampaignView>(meterkeep, "command", "show", restoring.campaign.id);
  assert.equal(shown.campaign.sentence, paused.campaign.sentence);
  const next = await ask("reconnect", home, "--reason", "restore");
  assert.deepEqual([next.campaign.state, rulesOf(next)], ["quarantined", ["MC-19"]]);
});
