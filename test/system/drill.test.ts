import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { BlastRadius, CampaignView, DrillReport } from "@meterkeep/api";
import { type CommandRules, commandRulesOf, type Thresholds } from "@meterkeep/guard";
import { createPool } from "@meterkeep/postgres";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { type Attack, ask, askForHome, asOwner, entriesAfter, heldBy, quarantined, sign } from "../src/attack.ts";
import { approve, enrolKeyHolder, type KeyHolder, planPolicyService, said } from "../src/authority.ts";
import { serverConfigOf } from "../src/installation-files.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { stolenHeadEnd, thresholdsOf } from "../src/stolen-head-end.ts";
import { type MeterTruth, townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

const HOMES = 200;
/** MC-02: of 200 homes. */
const MOST_IN_TEN_MINUTES = 10;
/** MC-06, tightened for the attacks: under its other caps a town this small cannot swing often. */
const SIGN_CHANGES = 0;
/** MC-17, tightened: what is not begun so soon is dropped. */
const STALE_SECONDS = 10;

let meterkeep: Meterkeep;
let api: ApiClient;
let truthBefore: readonly MeterTruth[];
let ledgerBefore: number;
let report: DrillReport;

before(async () => {
  meterkeep = await startMeterkeep({ meters: HOMES });
  api = await ownerClient(meterkeep);
  const count = async () => (await api.call("overview")).counts;
  await until(
    "every takeover has its verdict",
    async () => {
      const { byTakeover, meters } = await count();
      return meters === HOMES + 4 && byTakeover["proven"]! + byTakeover["refused"]! === meters;
    },
    { patienceMs: 300_000, everyMs: 250 },
  );
  // The meter that kept its keys in the depot gets to its home a while after it was left alone there.
  const town = townControl(meterkeep.stateDirectory);
  await until("every meter is at its home", async () => (await town.truth()).every(({ inField }) => inField));
  truthBefore = await town.truth();
  ledgerBefore = (await api.call("ledger", { query: { source: "custodian", limit: 1 } })).head!.size;
  const { drill } = await api.call("startDrill");
  report = await until(
    "the drill is over",
    async () => {
      const now = await api.call("drill", { params: { id: drill } });
      return (now.state === "done" || now.state === "failed") && now;
    },
    { patienceMs: 300_000, everyMs: 250 },
  );
});
after(() => meterkeep.stop());

test("a thief with the head-end's credentials asks for 200 homes and a key: 201 asked, 0 sealed, 0 dark", () => {
  assert.equal(report.failure, undefined);
  const { state, asked, sealed, refused, dark, readBack } = report;
  assert.deepEqual(
    { state, asked, sealed, refused, dark, readBack },
    { state: "done", asked: HOMES + 1, sealed: 0, refused: HOMES + 1, dark: 0, readBack: HOMES },
  );
  assert.match(report.sentence, /201 asked, 0 sealed, 0 homes dark/);
});

test("the APDU of each ask is a disconnect that decodes, and the refusal names the missing token", () => {
  const homes = report.items.filter(({ meter }) => meter !== undefined);
  assert.equal(new Set(homes.map(({ meter }) => meter)).size, HOMES);
  for (const { apdu, decoded, code, outcome } of homes) {
    assert.deepEqual([outcome, code], ["refused", "command-token-missing"]);
    assert.match(apdu ?? "", /^C301/);
    assert.ok((decoded ?? []).length > 0);
  }
  const [key] = report.items.filter(({ meter }) => meter === undefined);
  assert.deepEqual([key?.outcome, key?.code], ["refused", "method-not-offered"]);
});

test("each refusal stands in the custodian's ledger, with the principal whose credentials were used", async () => {
  const entries = await entriesAfter(api, "custodian", ledgerBefore);
  const refusals = entries.filter(({ kind }) => kind === "seal-refused");
  const homes = new Set(truthBefore.filter(({ role }) => role === "home").map(({ systemTitle }) => systemTitle));
  assert.deepEqual(new Set(refusals.map(({ meter }) => meter)), homes);
  assert.equal(refusals.length, HOMES);
  for (const { principal, body } of refusals) {
    assert.equal(principal, "head-end");
    assert.equal((JSON.parse(body) as { code: string }).code, "command-token-missing");
  }
  const exports = entries.filter(({ kind }) => kind === "method-not-offered");
  assert.equal(exports.length, 1);
  assert.equal(exports[0]?.principal, "head-end");
  assert.match(exports[0]?.body ?? "", /exportKey/);
});

test("the town itself says that every relay is where it was, whatever the meters may say", async () => {
  const truthAfter = await townControl(meterkeep.stateDirectory).truth();
  const supplied = (truth: readonly MeterTruth[]) => new Map(truth.map((one) => [one.systemTitle, one.supplied]));
  assert.deepEqual(supplied(truthAfter), supplied(truthBefore));
  assert.ok(truthAfter.every((one) => one.supplied));
});

test("what was read back rests on sessions with the meters, and each read the disconnect control", async () => {
  const homes = report.items.filter(({ meter }) => meter !== undefined);
  assert.ok(homes.every(({ supply, supplySession }) => supply === "connected" && supplySession !== undefined));
  for (const { meter, supplySession } of homes.slice(0, 3)) {
    const { session, ladder } = await api.call("session", { params: { id: supplySession! } });
    assert.equal(session.meter, meter);
    // Logical name of the disconnect control, 0-0:96.3.10.255, in the plain request.
    assert.ok(ladder.some(({ direction, plain }) => direction === "to-meter" && plain?.includes("000060030AFF")));
  }
});

// Attacks that are signed for real: from here on the thief has an order for everything, and people who sign whatever they see.

let attack: Attack;
let people: readonly KeyHolder[];
/** Homes by feeder, in the order of their titles. */
let streets: readonly (readonly string[])[];
let mass: CampaignView;
let manifest: string;
let headEndBefore: number;

const dark = async (): Promise<readonly string[]> => {
  const truth = await townControl(meterkeep.stateDirectory).truth();
  return truth.filter(({ role, supplied }) => role === "home" && !supplied).map(({ systemTitle }) => systemTitle);
};

/** One person allows less, at once. */
async function tighten(change: Partial<CommandRules>): Promise<void> {
  const present = await thresholdsOf(meterkeep.stateDirectory);
  const tighter: Thresholds = { ...present, commands: { ...commandRulesOf(present), ...change } };
  const body = JSON.stringify({ thresholds: JSON.stringify(tighter) });
  const { hash } = await said<{ hash: string }>(meterkeep, "change", "plan", "tighten-thresholds", body);
  await approve(meterkeep, hash, ...people.slice(0, 1));
  assert.partialDeepStrictEqual(commandRulesOf(await thresholdsOf(meterkeep.stateDirectory)), change);
}

test("three people and a policy service are enrolled; what swings may be tightened by one of them, at once", async () => {
  const anna = await enrolKeyHolder(meterkeep, "anna", "Anna", "operations");
  const ben = await enrolKeyHolder(meterkeep, "ben", "Ben", "security");
  const cleo = await enrolKeyHolder(meterkeep, "cleo", "Cleo", "audit", anna, ben);
  people = [anna, ben, cleo];
  await approve(meterkeep, await planPolicyService(meterkeep), anna, ben);
  attack = { at: meterkeep, api: await ownerClient(meterkeep, "request", "mallory") };
  await tighten({ signChanges: SIGN_CHANGES });
  const homes = truthBefore.filter(({ role }) => role === "home");
  streets = [...Map.groupBy(homes, ({ feeder }) => feeder).values()].map((all) =>
    all.map(({ systemTitle }) => systemTitle).toSorted(),
  );
});

test("slow drip, one transformer: home by home, each ordered and signed, until MC-03 has the street", async () => {
  const done: string[] = [];
  for (const street of streets.slice(0, 2)) {
    const [first = "", second = ""] = street;
    const off = await askForHome(attack, "disconnect", first, people.slice(0, 1));
    assert.equal(off.campaign.state, "done", JSON.stringify(off.campaign));
    done.push(first);
    assert.deepEqual(heldBy(await askForHome(attack, "disconnect", second, people.slice(0, 1))), ["MC-03"]);
  }
  assert.deepEqual((await dark()).toSorted(), done.toSorted());
});

test("Uttar Pradesh: everybody in one call, released by another, signed by three: the caps leave a few homes dark, and no more", async () => {
  headEndBefore = (await api.call("ledger", { query: { source: "head-end", limit: 1 } })).head!.size;
  const beganAt = Date.now();
  const held = await ask(attack, {
    operation: "disconnect",
    selection: { kind: "all" },
    reason: "grid",
    urgency: "emergency",
  });
  assert.equal(held.campaign.state, "quarantined");
  assert.ok(
    ["MC-01", "MC-02", "MC-03", "MC-16"].every((rule) => heldBy(held).includes(rule)),
    heldBy(held).join(),
  );
  const { id } = await quarantined(attack, held);
  mass = await asOwner(meterkeep, "releaseQuarantine", {
    params: { id },
    body: { reason: "somebody has talked to me" },
  });
  assert.equal(mass.campaign.state, "awaiting-approval", JSON.stringify(mass.dryRun.findings));
  manifest = await sign(attack, mass, people);
  // The head-end has done what it may when nothing of it is under way and it makes nothing else due.
  let quiet = 0;
  const carriedOut = await until(
    "the head-end has come to its caps",
    async () => {
      const { campaign } = await api.call("campaign", { params: { id: mass.campaign.id } });
      const { attempted, dispatched, done } = campaign.counts;
      quiet = attempted + dispatched === 0 ? quiet + 1 : 0;
      return done > 0 && quiet >= 5 && done;
    },
    { patienceMs: 300_000, everyMs: 1000 },
  );
  const [alarm] = (await entriesAfter(api, "head-end", headEndBefore)).filter(({ kind }) => kind === "command-alarm");
  assert.ok(alarm !== undefined && alarm.principal === held.campaign.requester);
  console.log(
    `# ${HOMES} homes in one call: told after ${Date.parse(alarm.at) - beganAt} ms, ${carriedOut} switched off`,
  );
  assert.ok((await dark()).length <= MOST_IN_TEN_MINUTES);
});

test("who owns the head-end goes past its caps with the approved manifest, its key and true tokens, and comes to the custodian's", async () => {
  const off = new Set(await dark());
  const told: string[] = [];
  for (const home of truthBefore.filter(({ role, systemTitle }) => role === "home" && !off.has(systemTitle))) {
    await using thief = await stolenHeadEnd(meterkeep.stateDirectory, home);
    told.push(await thief.ask(manifest));
    if (told.at(-1) === "cap-reached") break;
    assert.equal(told.at(-1), "sealed");
  }
  assert.equal(told.at(-1), "cap-reached");
  const { used } = await said<BlastRadius>(meterkeep, "blast");
  assert.deepEqual([used.tenMinutes, used.tenMinutesCap], [MOST_IN_TEN_MINUTES, MOST_IN_TEN_MINUTES]);
  assert.equal((await dark()).length, MOST_IN_TEN_MINUTES);
});

test("oscillation: what was given back is not switched off again, and a fleet that swings is switched off no more", async () => {
  const off = new Set(await dark());
  const [[home = ""] = []] = streets;
  assert.equal((await askForHome(attack, "reconnect", home, people.slice(0, 1))).campaign.state, "done");
  const again = await askForHome(attack, "disconnect", home, people.slice(0, 1));
  assert.deepEqual([again.campaign.state, heldBy(again)], ["quarantined", ["MC-05"]]);
  const lit = truthBefore.find(({ role, systemTitle }) => role === "home" && !off.has(systemTitle));
  const next = await askForHome(attack, "disconnect", lit?.systemTitle ?? "", people.slice(0, 1));
  assert.ok(heldBy(next).includes("MC-06"), heldBy(next).join());
  assert.equal((await dark()).length, MOST_IN_TEN_MINUTES - 1);
});

test("whose all that was: each home that went dark has its entry, with who asked, who released and who signed", async () => {
  const entries = await entriesAfter(api, "custodian", ledgerBefore);
  const sealed = entries
    .filter(({ kind }) => kind === "critical-sealed")
    .map(({ meter, body }) => [meter, body] as const);
  const ofMass = sealed.filter(([, body]) => (JSON.parse(body) as { manifest: string }).manifest === manifest);
  const off = await dark();
  for (const home of off)
    assert.ok(
      sealed.some(([meter]) => meter === home),
      home,
    );
  assert.ok(ofMass.length > 0 && ofMass.length <= MOST_IN_TEN_MINUTES);
  for (const [, body] of ofMass)
    assert.deepEqual((JSON.parse(body) as { approvedBy: string[] }).approvedBy.toSorted(), ["Anna", "Ben", "Cleo"]);
  const { campaign, releasedBy } = await api.call("campaign", { params: { id: mass.campaign.id } });
  assert.match(campaign.requester, /mallory/);
  assert.ok(releasedBy !== undefined && releasedBy !== campaign.requester);
  const own = await entriesAfter(api, "head-end", headEndBefore);
  for (const [kind, principal] of [
    ["command-alarm", campaign.requester],
    ["command-quarantined", campaign.requester],
    ["quarantine-released", releasedBy],
  ] as const)
    assert.ok(
      own.some((entry) => entry.kind === kind && entry.principal === principal),
      kind,
    );
});

/** Whether all that waits of a campaign is dropped within a minute. */
async function isShortLived(campaign: string): Promise<boolean> {
  const pool = createPool(serverConfigOf(meterkeep.stateDirectory).database, { applicationName: "drill test" });
  try {
    const { rows } = await pool.query<{ short: boolean | null }>(
      `select max(expires_at) < now() + interval '1 minute' as short from campaign_targets
       where campaign_id = $1 and state = 'waiting'`,
      [campaign],
    );
    return rows[0]?.short === true;
  } finally {
    await pool.end();
  }
}

test("stale queue: what waited when the server was killed is dropped by the next one, and not done late", async () => {
  await tighten({ timeToLiveSeconds: { supply: STALE_SECONDS, other: 60 } });
  const of = async () => (await api.call("campaign", { params: { id: mass.campaign.id } })).campaign.counts;
  const { waiting } = await of();
  assert.ok(waiting > 0);
  await until("the runner has looked by the new number", () => isShortLived(mass.campaign.id));
  const off = await dark();
  const { server = 0 } = meterkeep.pids();
  // Whoever starts it again is held meanwhile.
  process.kill(meterkeep.pid, "SIGSTOP");
  const killedAt = Date.now();
  try {
    process.kill(server, "SIGKILL");
    await until("their time is over", () => Date.now() - killedAt > (STALE_SECONDS + 5) * 1000);
  } finally {
    process.kill(meterkeep.pid, "SIGCONT");
  }
  const counts = await until(
    "the next server has looked",
    async () => {
      const now = await of().catch(() => undefined);
      return now?.waiting === 0 && now;
    },
    { patienceMs: 300_000, everyMs: 500 },
  );
  assert.notEqual(meterkeep.pids()["server"], server);
  assert.equal(counts.stale, waiting);
  assert.deepEqual((await dark()).toSorted(), off.toSorted());
});

test("MC-19: a drill throws the kill switch for real at the thief's first act, says how long the cut took, and two people thaw it", async () => {
  const { drill } = await asOwner(meterkeep, "startCutDrill");
  const cut = await until(
    "the drill is over",
    async () => {
      const now = await api.call("drill", { params: { id: drill } });
      return (now.state === "done" || now.state === "failed") && now;
    },
    { patienceMs: 300_000, everyMs: 250 },
  );
  assert.deepEqual([cut.failure, cut.sealed], [undefined, 0]);
  assert.ok(cut.cut !== undefined && cut.cut.freezeMilliseconds <= cut.cut.afterFirstActMilliseconds);
  const { times, reach } = await api.call("blastRadius");
  assert.deepEqual([times.cut?.drill, times.cut?.freezeMilliseconds], [drill, cut.cut.freezeMilliseconds]);
  const proven = reach.find(({ kind }) => kind === "policy-service")?.drill;
  assert.equal(proven?.id, drill);
  assert.match(proven?.sentence ?? "", /frozen \d+ ms after the first act/);
  const frozen = async () => (await api.call("rules")).frozen;
  assert.match((await frozen())?.reason ?? "", /a drill that measures the cut/);
  const { hash } = await said<{ hash: string }>(meterkeep, "kill-switch", "thaw");
  await approve(meterkeep, hash, ...people.slice(0, 1));
  assert.notEqual(await frozen(), undefined, "one person thaws nothing");
  await approve(meterkeep, hash, ...people.slice(1, 2));
  assert.equal(await frozen(), undefined);
});
