import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import type { CampaignTargetDetail, CampaignView, CommandOrder, MeterSummary } from "@meterkeep/api";
import { firmwareImage } from "@meterkeep/meter";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { approve, enrolKeyHolder, type KeyHolder, planPolicyService, said } from "../src/authority.ts";
import { workOrder } from "../src/billing-office.ts";
import { shelve, townMaker, trustMaker } from "../src/firmware-shelf.ts";
import { processFacts } from "../src/process-facts.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { type MeterTruth, townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

const MIX = ["idis-p2", "dsmr-5", "is15959", "metcom-mcs301", "landis-gyr-e350"];
const PATIENCE = { patienceMs: 300_000 };
const ENDED: readonly CampaignView["campaign"]["state"][] = ["done", "stopped", "expired", "quarantined"];

/** A town of five profiles with two people who approve. Its time runs slowly: a clock is measured by how long answers take. */
class Work {
  readonly meterkeep: Meterkeep;
  /** Whose requests they are: nobody asks for more in an hour than is usual (MC-16). */
  api: ApiClient;
  readonly people: readonly KeyHolder[];

  constructor(meterkeep: Meterkeep, api: ApiClient, people: readonly KeyHolder[]) {
    this.meterkeep = meterkeep;
    this.api = api;
    this.people = people;
  }

  /** Asks for something on the command line, has it approved where that is needed, and waits for its end. */
  async carryOut(
    operation: string,
    meters: readonly string[],
    parameters: object,
    workOrderId?: string,
  ): Promise<CampaignView> {
    return this.end(await this.ask(operation, meters, parameters, workOrderId));
  }

  /** Asks, and has it approved where that is needed. */
  async ask(
    operation: string,
    meters: readonly string[],
    parameters: object,
    workOrderId?: string,
  ): Promise<CampaignView> {
    const body: CommandOrder = {
      operation,
      parameters: { ...parameters },
      selection: { kind: "list", meters: [...meters] },
      reason: workOrderId === undefined ? "maintenance" : "safety",
      ...(workOrderId === undefined ? {} : { workOrder: workOrderId }),
    };
    return this.approved(await this.api.call("createCommand", { body }));
  }

  /** Has people approve it where that is needed. */
  async approved(asked: CampaignView): Promise<CampaignView> {
    const { id, state } = asked.campaign;
    const hash = asked.manifest?.hash;
    assert.equal(state, hash === undefined ? "running" : "awaiting-approval", JSON.stringify(asked.dryRun));
    if (hash === undefined) return asked;
    const people = await until(
      "the manifest is at the custodian",
      async () => (await this.view(id)).manifest?.people || undefined,
      PATIENCE,
    );
    await approve(this.meterkeep, hash, ...this.people.slice(0, people));
    return asked;
  }

  view(id: string): Promise<CampaignView> {
    return this.api.call("campaign", { params: { id } });
  }

  end({ campaign: { id, words } }: CampaignView): Promise<CampaignView> {
    return until(
      `"${words}" has ended`,
      async () => {
        // The server may be on its way back from a kill.
        const view = await this.view(id).catch(() => undefined);
        return view !== undefined && ENDED.includes(view.campaign.state) && view;
      },
      PATIENCE,
    );
  }

  /** What one meter of a campaign said. */
  detail({ campaign: { id } }: CampaignView, systemTitle: string): Promise<CampaignTargetDetail> {
    return this.api.call("campaignTarget", { params: { id, systemTitle } });
  }

  /** The same as `carryOut` on one meter, which has to end well. */
  async done(
    operation: string,
    meter: string,
    parameters: object,
    workOrderId?: string,
  ): Promise<CampaignTargetDetail> {
    const detail = await this.detail(await this.carryOut(operation, [meter], parameters, workOrderId), meter);
    assert.equal(detail.target.state, "done", `${operation}: ${detail.target.sentence}`);
    return detail;
  }
}

async function inService(api: ApiClient): Promise<readonly MeterSummary[]> {
  return until(
    "every takeover has ended, and every meter in service is read",
    async () => {
      const all = await api.meters().catch(() => []);
      const over = all.every(({ takeover }) => takeover === "proven" || takeover === "refused");
      const homes = all.filter(({ takeover, role }) => takeover === "proven" && role === "home");
      const read = homes.filter(({ supply, energyWh }) => supply === "connected" && energyWh !== undefined);
      return over && homes.length > 0 && read.length === homes.length && homes;
    },
    PATIENCE,
  );
}

test("a town of five profiles is taken over and read, and everything is done with its meters that a head-end does", async (t) => {
  await using meterkeep = await startMeterkeep({
    meters: 24,
    speed: 10,
    options: ["--profiles", MIX.join(",")],
    readyWithinMs: 300_000,
  });
  const { stateDirectory } = meterkeep;
  const town = townControl(stateDirectory);
  const anna = await enrolKeyHolder(meterkeep, "anna", "anna", "operations");
  const ben = await enrolKeyHolder(meterkeep, "ben", "ben", "security");
  await approve(meterkeep, await planPolicyService(meterkeep), anna, ben);
  const api = await ownerClient(meterkeep, "request", "first");
  const work = new Work(meterkeep, api, [anna, ben]);
  const homes = await inService(api);
  const of = (profile: string): string => {
    const found = homes.find((each) => each.profile === profile);
    assert.ok(found, `a home of ${profile} is in service`);
    return found.systemTitle;
  };
  const truth = async (meter: string): Promise<MeterTruth> => {
    const found = (await town.truth()).find(({ systemTitle }) => systemTitle === meter);
    assert.ok(found);
    return found;
  };
  const stretch = { from: "2020-01-01T00:00:00Z", to: "2099-01-01T00:00:00Z" };

  await t.test("each profile is there, and its intervals are read", async () => {
    assert.deepEqual([...new Set(homes.map(({ profile }) => profile))].sort(), [...MIX].sort());
    for (const profile of MIX)
      await until(
        `intervals of ${profile}`,
        async () => {
          const params = { systemTitle: of(profile) };
          return (await api.call("profile", { params, query: { trust: "all" } })).rows.length > 0;
        },
        PATIENCE,
      );
  });

  await t.test("what each profile pushes is read by its positions", async () => {
    for (const profile of MIX) {
      const meter = of(profile);
      await town.ask([{ do: "push", meter, kind: "report" }]);
      await until(
        `a push of ${profile}`,
        async () => {
          const query = { trust: "all", limit: 1000 };
          const { readings } = await api.call("readings", { params: { systemTitle: meter }, query });
          return readings.some(({ source, obis, unit }) => source === "push" && obis === "1-0:1.8.0" && unit === "Wh");
        },
        PATIENCE,
      );
    }
  });

  await t.test("what can be done is told, with parameters that are taken", async () => {
    const { operations } = await api.call("operations");
    const names = operations.map(({ name }) => name);
    for (const name of ["registers", "events", "clock", "configuration", "activity-calendar", "limiter", "push-setup"])
      assert.ok(names.includes(name), name);
    for (const { name, example, changes, profiles } of operations) {
      const order: CommandOrder = {
        operation: name,
        parameters: example,
        selection: { kind: "list", meters: homes.map(({ systemTitle }) => systemTitle) },
        reason: "maintenance",
      };
      const { targets, people } = await api.call("dryRunCommand", { body: order });
      if (!changes) assert.deepEqual([people, targets], [0, profiles.length === 6 ? homes.length : targets], name);
    }
  });

  await t.test("a whole town is looked at, and nothing is changed or approved", async () => {
    const body: CommandOrder = {
      operation: "special-days",
      parameters: { days: [{ index: 1, date: "--12-25", dayId: 2 }] },
      selection: { kind: "all" },
      reason: "maintenance",
      look: true,
    };
    const { campaign, dryRun } = await work.end(await api.call("createCommand", { body }));
    // Meters of transformers have calendars as well.
    const looked = (await api.meters()).filter(({ takeover }) => takeover === "proven");
    assert.ok(looked.length > homes.length);
    assert.deepEqual([campaign.state, dryRun.people, campaign.counts.done], ["done", 0, looked.length]);
    const detail = await api.call("campaignTarget", { params: { id: campaign.id, systemTitle: of("dsmr-5") } });
    assert.match(detail.target.sentence, /would be set/);
    assert.deepEqual([detail.facts[0]?.holds, detail.facts[0]?.found], [false, "[]"]);
  });

  await t.test("registers, profiles, events, power quality and objects are read on demand, and stored", async () => {
    const meters = homes.map(({ systemTitle }) => systemTitle);
    for (const [operation, parameters] of [
      ["registers", {}],
      ["events", stretch],
      ["object-list", {}],
      ["attributes", { attributes: [{ classId: 1, object: "1-0:0.2.0", attribute: 2 }] }],
    ] as const) {
      const { campaign } = await work.carryOut(operation, meters, parameters);
      assert.equal(campaign.counts.done, homes.length, `${operation}: ${JSON.stringify(campaign)}`);
    }
    for (const profile of MIX) {
      const meter = of(profile);
      const { data } = await work.done("profile", meter, { profile: "load", ...stretch });
      assert.ok((data as { rows: unknown[] }).rows.length > 0, profile);
      const events = (await api.call("meterEvents", { params: { systemTitle: meter } })).events;
      assert.ok(
        events.some(({ words }) => words === "power up"),
        `${profile}: ${JSON.stringify(events)}`,
      );
      assert.ok(
        events.every(({ words, category }) => category !== "other" && !/^event \d/.test(words)),
        profile,
      );
    }
    for (const profile of ["idis-p2", "dsmr-5", "metcom-mcs301"]) {
      await work.done("profile", of(profile), { profile: "power-quality", ...stretch });
      const quality = await api.call("powerQuality", { params: { systemTitle: of(profile) } });
      assert.ok(quality.rows.length > 0 && quality.columns[0]?.unit === "V", JSON.stringify(quality.columns));
    }
    const grave = await api.call("loggedEvents", { query: { category: "key-change", severity: 3 } });
    assert.ok(grave.events.length > 0 && grave.events.every(({ category }) => category === "key-change"));
  });

  await t.test(
    "a clock that is off is brought back, away from the ends of intervals; one that is far off is an incident",
    async () => {
      const meter = of("idis-p2");
      await town.ask([{ do: "roll-clock", meter, seconds: 200 }]);
      await until(
        "the clock is right",
        async () => {
          // On a machine that is busy an answer may come so late that it is not known what was read.
          const given = ["--reason", "maintenance", "--parameters", JSON.stringify({ mostSeconds: 900 })];
          const asked = await said<CampaignView>(meterkeep, "command", "ask", "clock", meter, ...given);
          const { target, facts } = await work.detail(await work.end(await work.approved(asked)), meter);
          assert.ok(facts[0]?.name === "clock offset" || target.state === "failed", target.sentence);
          return Math.abs((await truth(meter)).clockOffsetSeconds) <= 30;
        },
        PATIENCE,
      );
      await town.ask([{ do: "roll-clock", meter: of("metcom-mcs301"), seconds: 5000 }]);
      const far = await work.carryOut("clock", [of("metcom-mcs301")], { mostSeconds: 900 });
      const { target } = await work.detail(far, of("metcom-mcs301"));
      assert.equal(target.state, "failed");
      assert.ok((await truth(of("metcom-mcs301"))).clockOffsetSeconds > 4000);
      const incidents = (await api.call("ledger", { query: { source: "head-end", limit: 500 } })).entries;
      assert.ok(incidents.some(({ kind }) => kind === "clock-incident"));
    },
  );

  await t.test("configuration is read back; what somebody else changes is drift, found and set right", async () => {
    const meter = of("dsmr-5");
    const group = {
      group: "gas every two hours",
      items: [
        {
          name: "capture period",
          classId: 72,
          object: "0-1:24.1.0",
          attribute: 4,
          value: { "double-long-unsigned": 7200 },
        },
      ],
    };
    const { facts } = await work.done("configuration", meter, group);
    assert.deepEqual(
      [facts[0]?.before, facts[0]?.wanted, facts[0]?.found, facts[0]?.holds],
      ["3600", "7200", "7200", true],
    );
    assert.match((await work.done("configuration-drift", meter, {})).target.sentence, /as it should be/);
    await town.ask([{ do: "capture-period", meter, seconds: 60 }]);
    const drift = await work.done("configuration-drift", meter, {});
    assert.match(drift.target.sentence, /not as "gas every two hours" says: capture period/);
    const { entries } = await api.call("ledger", { query: { source: "head-end", limit: 500 } });
    assert.ok(entries.some(({ kind }) => kind === "configuration-drift"));
    await work.done("configuration", meter, group);
    assert.match((await work.done("configuration-drift", meter, {})).target.sentence, /as it should be/);
  });

  await t.test("calendars, special days, push set-ups, limiters and M-Bus devices are set and read back", async () => {
    const calendar = {
      name: "WINTER-26",
      seasons: [{ name: "all", start: "--01-01", week: "w" }],
      weeks: [{ name: "w", days: [1, 1, 1, 1, 1, 1, 1] }],
      days: [{ id: 1, schedule: [{ at: "00:00", script: 2 }] }],
      activate: true,
    };
    const active = await work.done("activity-calendar", of("is15959"), calendar);
    assert.ok(active.facts.some(({ name, holds }) => name.startsWith("active") && holds));
    await work.done("special-days", of("landis-gyr-e350"), { days: [{ index: 1, date: "--12-25", dayId: 1 }] });
    const destination = `127.0.0.1:${meterkeep.ports.push}`;
    const spread = { randomisationSeconds: 30, retries: 2, repetitionSeconds: 60 };
    const push = await work.done("push-setup", of("metcom-mcs301"), { setup: "alarm", destination, ...spread });
    assert.ok(push.facts.every(({ holds }) => holds));
    const gas = await work.done("m-bus-install", of("dsmr-5"), { channel: 1, address: 3 });
    assert.equal((gas.data as { primaryAddress: number }).primaryAddress, 3);
    const counted = await work.done("m-bus-value", of("dsmr-5"), { channel: 1 });
    assert.match(counted.target.sentence, /has counted [\d.]+ m³/);
    await until(
      "what the gas meter has counted is with the readings of its meter",
      async () => {
        const query = { trust: "all", limit: 1000 } as const;
        const { readings } = await api.call("readings", { params: { systemTitle: of("dsmr-5") }, query });
        return readings.some(({ obis, unit }) => obis === "0-1:24.2.1" && unit === "m³");
      },
      PATIENCE,
    );
    // Both within ten minutes: MC-03 holds back a second one of a feeder of six homes, MC-04 what would take a tenth of the island.
    const byLoad = (await inService(api)).toSorted((one, other) => (one.powerW ?? 0) - (other.powerW ?? 0));
    const { systemTitle: heated = "", feeder } = byLoad.find(({ profile }) => profile === "is15959") ?? {};
    await workOrder(stateDirectory, "WO-LOAD", "safety", [heated]);
    const load = await work.done("load-control", heated, { relay: 1, turn: "off" }, "WO-LOAD");
    assert.deepEqual([load.facts[0]?.found, load.facts[0]?.holds], ["off", true]);
    const limited = byLoad.find((home) => home.feeder !== feeder)?.systemTitle ?? "";
    await workOrder(stateDirectory, "WO-LIMIT", "safety", [limited]);
    const limit = await work.done("limiter", limited, { what: "normal-threshold", value: 9000 }, "WO-LIMIT");
    assert.deepEqual([limit.facts[0]?.found, limit.facts[0]?.holds], ["9000", true]);
  });

  await t.test("a gas meter gets a key of ours once it is installed, and is read with it", async () => {
    const meter = of("dsmr-5");
    const defaultKey = randomBytes(16).toString("hex");
    await town.ask([{ do: "gas-meter", meter, defaultKey }]);
    const file = `${stateDirectory}/operator/gas.key`;
    writeFileSync(file, defaultKey, { mode: 0o600 });
    const taken = await said<{ planned: boolean }>(
      meterkeep,
      ...["keys", "child", meter, "--channel", "1", "--default-key", file],
    );
    assert.equal(taken.planned, true);
    const keys = async () =>
      (await api.call("meter", { params: { systemTitle: meter } })).keys.filter(({ purpose }) =>
        purpose.startsWith("M-Bus"),
      );
    const held = await until(
      "the gas meter has a key of ours",
      async () => {
        const now = await keys();
        return now.some(({ purpose, state }) => purpose === "M-Bus" && state === "active") && now;
      },
      PATIENCE,
    );
    // Where an answer came too late another value was given, and the first is active nowhere.
    assert.deepEqual(
      held.flatMap(({ purpose, state, origin }) => (state === "active" ? [`${purpose} ${origin}`] : [])).sort(),
      ["M-Bus generated", "M-Bus-default imported"],
    );
    assert.deepEqual((await truth(meter)).gas, { key: "encryptionKeySetAndTransferred", isRead: true });
    const counted = await work.done("m-bus-value", meter, { channel: 1 });
    assert.match(counted.target.sentence, /has counted [\d.]+ m³/);
  });

  work.api = await ownerClient(meterkeep, "request", "second");
  await t.test("firmware goes on where it was when the server is killed, and runs when it is activated", async () => {
    const meter = of("idis-p2");
    const { firmware: running } = await truth(meter);
    const [model = ""] = running.split("-");
    const maker = townMaker(stateDirectory);
    trustMaker(stateDirectory, createPublicKey(maker).export({ type: "spki", format: "pem" }).toString());
    const firmware = `${model}-2.5.0`;
    const image = firmwareImage(firmware, 256 * 1024, maker);
    const { sha384, identifier, imageBytes } = shelve(
      stateDirectory,
      image,
      { firmware, models: [`MKV-${model}`], identifier: `${model}-250` },
      maker,
    );
    const given = { sha384, identifier, imageBytes };
    const early = await work.carryOut("image-activate", [meter], { ...given, firmware });
    assert.equal((await work.detail(early, meter)).target.state, "failed");

    const counter = (await truth(meter)).lastReceivedCounter;
    const transfer = await work.ask("image-transfer", [meter], { ...given, blockBytes: 256 });
    await until(
      "a part of the image is with the meter",
      async () => (await truth(meter)).lastReceivedCounter > counter + 200,
      { patienceMs: 300_000 },
    );
    const before = meterkeep.pids()["server"] ?? 0;
    process.kill(before, "SIGKILL");
    await until(
      "the server is back",
      () => {
        const pid = meterkeep.pids()["server"];
        return pid !== undefined && pid !== before && processFacts(pid) !== undefined;
      },
      PATIENCE,
    );
    const ended = await work.end(transfer);
    const { target, losses } = await work.detail(ended, meter);
    assert.equal(target.state, "done", target.sentence);
    const [, sent = "0", all = "0"] = /\((\d+) of (\d+) blocks in this session\)/.exec(target.sentence) ?? [];
    assert.ok(losses >= 1 && Number(sent) < Number(all) - 100, target.sentence);
    assert.equal((await truth(meter)).firmware, running);

    const { facts } = await work.done("image-activate", meter, { ...given, firmware });
    assert.deepEqual([facts[0]?.before, facts[0]?.found], [running, firmware]);
    assert.equal((await truth(meter)).firmware, firmware);
    // Scalers are of a firmware: the inventory knows which one runs.
    assert.equal((await api.call("meter", { params: { systemTitle: meter } })).identity.firmware, firmware);
  });

  await t.test(
    "images that are tampered with, older or of nobody whom we trust are refused, and a wave stops",
    async () => {
      const maker = townMaker(stateDirectory);
      const others = homes.filter(({ profile }) => profile === "metcom-mcs301" || profile === "idis-p2");
      const truths = await Promise.all(others.map(({ systemTitle }) => truth(systemTitle)));
      const groups = Map.groupBy(
        truths.filter(({ firmware }) => firmware.endsWith("-2.4.1")),
        ({ firmware }) => firmware,
      );
      const [running, pair] = [...groups].find(([, group]) => group.length > 1) ?? [];
      assert.ok(running !== undefined && pair !== undefined, "two homes of one model");
      const [model = ""] = running.split("-");
      const meters = pair.slice(0, 2).map(({ systemTitle }) => systemTitle);
      const facts = { models: [`MKV-${model}`], identifier: `${model}-x` };
      const give = async (firmware: string, image: Uint8Array, key = maker) => {
        const { sha384, identifier, imageBytes } = shelve(stateDirectory, image, { ...facts, firmware }, key);
        return work.carryOut("image-transfer", meters, { sha384, identifier, imageBytes, blockBytes: 256 });
      };
      const tampered = firmwareImage(`${model}-2.6.0`, 2000, maker);
      tampered[900] = (tampered[900] ?? 0) ^ 1;
      const refusals = [
        await give(`${model}-2.6.0`, tampered),
        await give(`${model}-2.3.0`, firmwareImage(`${model}-2.3.0`, 2000, maker)),
        await give(
          `${model}-2.7.0`,
          firmwareImage(`${model}-2.7.0`, 2000, maker),
          generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
        ),
      ];
      for (const { campaign } of refusals) {
        assert.equal(campaign.state, "stopped", campaign.sentence);
        assert.equal(campaign.counts.stopped, 1, JSON.stringify(campaign.counts));
      }
      const { targets } = await api.call("campaignTargets", { params: { id: refusals[2]?.campaign.id ?? "" } });
      assert.ok(targets.some(({ state, sentence }) => state === "refused" && /no trusted maker/.test(sentence)));
      for (const meter of meters) assert.equal((await truth(meter)).firmware, running);
    },
  );
});
