import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import type { PushSource, RegisterReading } from "@meterkeep/api";
import { fromHex } from "@meterkeep/dlms";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { collectSecrets } from "../src/custody-keys.ts";
import { makePush, type PushingMeter, pushTo } from "../src/pushing-meter.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

// Every twelfth home of one profile, from its sixth on, pushes without a tag: this town has one of them.
const HOMES = 32;

let meterkeep: Meterkeep;
let api: ApiClient;
before(async () => {
  meterkeep = await startMeterkeep({ meters: HOMES });
  api = await ownerClient(meterkeep);
  await until("all meters are taken over", async () =>
    (await api.meters()).every(({ takeover }) => takeover === "proven" || takeover === "refused"),
  );
  const town = townControl(meterkeep.stateDirectory);
  const meters = await town.truth();
  await town.ask(meters.map(({ systemTitle }) => ({ do: "push", meter: systemTitle, kind: "report" })));
});
after(() => meterkeep.stop());

async function sourcesOf(meter: string): Promise<readonly PushSource[]> {
  return (await api.call("pushSources")).sources.filter((source) => source.meter === meter);
}

async function readingsOf(meter: string): Promise<readonly RegisterReading[]> {
  const params = { systemTitle: meter };
  return (await api.call("readings", { params, query: { trust: "all", limit: 10_000 } })).readings;
}

/** A push as it came in, octet for octet, of a meter that protects it so. */
async function captured(protection: PushSource["protection"]) {
  const source = await until(`a meter has pushed ${protection}`, async () => {
    const { sources } = await api.call("pushSources");
    return sources.find((one) => one.meter !== undefined && one.protection === protection);
  });
  const meter = source.meter!;
  const reading = await until("what it pushed is stored", async () =>
    (await readingsOf(meter)).find((one) => one.source === "push" && one.protection === protection),
  );
  const evidence = await api.call("evidence", { params: { hash: reading.evidence } });
  return { meter, reading, octets: fromHex(evidence.apdu), transport: evidence.push!.transport };
}

/** Sends octets and waits until the push port has refused them; gives what is shown of it. */
async function refusal(meter: string, octets: Uint8Array, transport: "tcp" | "udp"): Promise<PushSource> {
  const over = async () => (await sourcesOf(meter)).find((source) => source.transport === transport);
  const before = (await over())?.refused ?? 0;
  await pushTo(meterkeep.ports.push, octets, transport);
  return await until("the push is refused", async () => {
    const now = await over();
    return now !== undefined && now.refused > before && now;
  });
}

for (const transport of ["tcp", "udp"] as const) {
  test(`a push that was recorded and comes again over ${transport} is refused and shown as an incident`, async () => {
    const { meter, reading, octets } = await captured("authenticated");
    const stored = (await readingsOf(meter)).filter(({ evidence }) => evidence === reading.evidence).length;
    const shown = await refusal(meter, octets, transport);
    assert.equal(shown.lastRefusal, "replayed");
    // The source's line is written first, and a town tells much besides.
    const incident = await until("the incident is told", async () => {
      const { events } = await api.call("recentEvents", { query: { limit: 500 } });
      return events.find(
        ({ type, meter: of, sentence }) => type === "push" && of === meter && /replayed/.test(sentence),
      );
    });
    assert.equal(incident.severity, "warning");
    const again = (await readingsOf(meter)).filter(({ evidence }) => evidence === reading.evidence);
    assert.equal(again.length, stored);
  });
}

test("a replay is refused after the custodian and the server were killed, too: the windows are durable", async () => {
  const { meter, octets } = await captured("authenticated");
  for (const name of ["custodian", "server"]) {
    const pid = meterkeep.pids()[name]!;
    process.kill(pid, "SIGKILL");
    await until(`the ${name} is back`, () => meterkeep.pids()[name] !== pid);
  }
  await until("the API answers", () => api.call("health").catch(() => undefined));
  await until("the custodian answers", async () => (await api.call("overview")).custodian.reachable);
  assert.equal((await refusal(meter, octets, "tcp")).lastRefusal, "replayed");
});

test("a push with one bit changed is refused as not authentic", async () => {
  const { meter, octets } = await captured("authenticated");
  for (const at of [octets.length - 1, octets.length - 20]) {
    const changed = Uint8Array.from(octets);
    changed[at]! ^= 1;
    assert.equal((await refusal(meter, changed, "tcp")).lastRefusal, "not-authentic");
  }
});

test("a push without a tag is taken as confidential only, and says so wherever it is shown", async () => {
  const { meter, reading } = await captured("confidential");
  assert.equal(reading.protection, "confidential");
  assert.ok((await sourcesOf(meter)).every((source) => source.protection === "confidential"));
  const evidence = await api.call("evidence", { params: { hash: reading.evidence } });
  assert.equal(evidence.protection, "confidential");
});

test("a push without a tag decides nothing, even in the name of a trusted meter", async () => {
  const trusted = (await api.meters()).find(({ trust, role }) => trust === "trusted" && role === "home")!;
  const keys = (await collectSecrets(meterkeep.stateDirectory)).filter(
    ({ meter, state }) => meter === trusted.systemTitle && state === "active",
  );
  const keyOf = (purpose: string): Uint8Array => keys.find(({ name }) => name.startsWith(purpose))!.octets;
  const meter: PushingMeter = {
    title: trusted.systemTitle,
    encryptionKey: keyOf("GUEK"),
    authenticationKey: keyOf("GAK"),
  };
  // By the town's own clock: long after the takeover.
  const now = new Date((await api.call("overview")).clock.now);
  await pushTo(meterkeep.ports.push, makePush(meter, 0x2000_0000, { energyWh: 1, authenticated: false, now }));
  const forged = await until("the push is stored", async () =>
    (await readingsOf(meter.title)).find(({ protection }) => protection === "confidential"),
  );
  assert.equal(forged.trustAtCapture, "trusted");
  assert.equal(forged.decisive, false);
  const params = { systemTitle: meter.title };
  const decisive = (await api.call("readings", { params })).readings;
  assert.ok(
    decisive.every(({ evidence, protection }) => evidence !== forged.evidence && protection === "authenticated"),
  );
  // A tagless counter must not shut out the authenticated pushes that follow it.
  const accepted = async () => (await sourcesOf(meter.title)).reduce((sum, source) => sum + source.accepted, 0);
  const before = await accepted();
  await townControl(meterkeep.stateDirectory).ask([{ do: "push", meter: meter.title, kind: "report" }]);
  await until("its own push is taken", async () => (await accepted()) > before);
});

test("who is no meter of ours is shown as a stranger and believed in nothing", async () => {
  const stranger: PushingMeter = {
    title: "4B414D0099887766",
    encryptionKey: randomBytes(16),
    authenticationKey: randomBytes(16),
  };
  await pushTo(meterkeep.ports.push, makePush(stranger, 1, { energyWh: 5 }));
  const shown = await until("the stranger is shown", async () =>
    (await api.call("pushSources")).sources.find(({ systemTitle }) => systemTitle === stranger.title),
  );
  assert.deepEqual([shown.stranger, shown.accepted, shown.lastRefusal], [true, 0, "unknown-meter"]);
  assert.ok((await api.meters()).every(({ systemTitle }) => systemTitle !== stranger.title));
});
