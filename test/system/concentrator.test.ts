import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { freePort } from "@meterkeep/postgres/testing";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { askControl } from "../src/control-socket.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

// Every meter in the field is behind one concentrator; time runs so fast that each is read every few seconds.
const HOMES = 16;
const SPEED = 300;
const NAME = "dc-1";
const PATIENCE = { patienceMs: 180_000 };

let meterkeep: Meterkeep;
let api: ApiClient;
let behind: readonly string[];
before(async () => {
  meterkeep = await startMeterkeep({
    meters: HOMES,
    speed: SPEED,
    options: ["--concentrators", "1", "--enrolment", `127.0.0.1:${await freePort()}`],
  });
  api = await ownerClient(meterkeep);
  behind = (await townControl(meterkeep.stateDirectory).truth())
    .filter(({ depotPort }) => depotPort === null)
    .map(({ systemTitle }) => systemTitle);
});
after(() => meterkeep.stop());

async function tell(request: object): Promise<{ readonly connections: number; readonly mischief: number }> {
  const path = `${meterkeep.stateDirectory}/concentrator/control.sock`;
  const [answer] = await askControl(path, [{ concentrator: NAME, ...request }]);
  return answer as { readonly connections: number; readonly mischief: number };
}

/** Every meter behind the concentrator has been read since. */
async function allReadSince(moment: number): Promise<void> {
  await until(
    "every meter behind the concentrator is read",
    async () => {
      const meters = (await api.meters()).filter(({ systemTitle }) => behind.includes(systemTitle));
      return meters.every(({ lastReadingAt }) => lastReadingAt !== undefined && Date.parse(lastReadingAt) > moment);
    },
    PATIENCE,
  );
}

const counters = async (): Promise<ReadonlyMap<string, number>> =>
  new Map(
    (await townControl(meterkeep.stateDirectory).truth()).map((meter) => [
      meter.systemTitle,
      meter.lastReceivedCounter,
    ]),
  );

test("meters behind a concentrator are taken over and read over one connection of mutual TLS", async () => {
  assert.ok(behind.length > 4);
  const { stdout } = await meterkeep.command(["pki", "search", "--subject", `CN=${NAME}`, "--json"]);
  const certified = JSON.parse(stdout) as readonly { readonly requester: string; readonly profile: string }[];
  // It made its key itself, and was certified over EST with the password that it was given.
  assert.deepEqual(
    certified.map(({ requester, profile }) => [requester, profile]),
    [[`est:${NAME}`, "concentrator"]],
  );
  await until(
    "all of them are taken over",
    async () => {
      const meters = await api.meters();
      return meters.every(({ takeover }) => takeover === "proven" || takeover === "refused");
    },
    PATIENCE,
  );
  await allReadSince(0);
  const { destinations } = await api.call("meter", { params: { systemTitle: behind[0]! } });
  assert.equal(
    destinations.find(({ purpose }) => purpose === "read")?.address,
    `concentrator://${NAME}/0/${behind[0]}`,
  );
  assert.equal((await tell({ do: "status" })).connections, 1);
});

for (const kind of ["lie", "swap", "replay", "substitute", "drop", "double", "invent"] as const)
  test(`a concentrator that is told to ${kind} makes nothing false believed, no command doubled, no counter used twice`, async () => {
    const before = await counters();
    const supplied = (await townControl(meterkeep.stateDirectory).truth()).map((meter) => meter.supplied);
    const { mischief } = await tell({ do: "status" });
    // A withheld answer is waited for as long as power-line carrier takes: one is enough.
    const times = kind === "drop" ? 1 : 6;
    await tell({ do: "misbehave", kind, times });
    await until("it has done so", async () => (await tell({ do: "status" })).mischief >= mischief + times, PATIENCE);
    await tell({ do: "misbehave", kind: null });
    await allReadSince(Date.parse((await api.call("overview")).clock.now));
    const truth = await townControl(meterkeep.stateDirectory).truth();
    assert.deepEqual(
      truth.map((meter) => meter.supplied),
      supplied,
    );
    for (const { systemTitle, lastReceivedCounter } of truth)
      assert.ok(lastReceivedCounter >= before.get(systemTitle)!, `${systemTitle} has taken a counter again`);
    for (const title of behind) {
      const { readings } = await api.call("readings", {
        params: { systemTitle: title },
        query: { trust: "all", limit: 10_000 },
      });
      const energy = readings.filter(({ obis, source }) => obis === "1-0:1.8.0" && source === "session");
      assert.ok(energy.every(({ protection }) => protection === "authenticated"));
      // A register that counts only up, in the order of the meter's own clock: an old or a foreign value would stand out.
      const inOrder = energy
        .toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time))
        .map(({ value }) => Number(value));
      assert.deepEqual(
        inOrder,
        inOrder.toSorted((a, b) => a - b),
        title,
      );
    }
  });

test("false deliveries are incidents that name the concentrator, of meters and pushes alike: on the page, as an event, in the ledger", async () => {
  await tell({ do: "misbehave", kind: "lie", times: 3, to: "pushes" });
  const town = townControl(meterkeep.stateDirectory);
  await town.ask(behind.slice(0, 3).map((meter) => ({ do: "push", meter, kind: "report" })));
  const found = await until(
    "somebody's false delivery is told",
    async () => {
      for (const title of behind) {
        const { incidents } = await api.call("meter", { params: { systemTitle: title } });
        const one = incidents.find(({ kind }) => kind === "false-delivery");
        if (one !== undefined) return { title, ...one };
      }
      return undefined;
    },
    PATIENCE,
  );
  await tell({ do: "misbehave", kind: null });
  assert.equal(found.place, `concentrator ${NAME}`);
  assert.match(found.sentence, new RegExp(`the concentrator ${NAME} brought`));
  const { entries } = await api.call("ledger", { query: { source: "head-end", meter: found.title, limit: 500 } });
  const bodies = entries.filter((entry) => entry.kind === "destination-incident" && entry.meter === found.title);
  assert.ok(bodies.some(({ body }) => (JSON.parse(body) as { readonly sentence: string }).sentence === found.sentence));
});

test("the bill of materials names the concentrator's connection, with the hybrid group that it agreed on", async () => {
  const { status, stdout, stderr } = await meterkeep.command(["cbom"]);
  assert.equal(status, 0, stderr);
  const { components } = JSON.parse(stdout) as {
    components: { name: string; properties?: { name: string; value: string }[] }[];
  };
  const trunk = components.find(({ name }) => name === `concentrator-${NAME}`);
  assert.deepEqual(trunk?.properties, [
    { name: "meterkeep:key-agreement", value: "X25519MLKEM768" },
    { name: "meterkeep:hybrid", value: "true" },
  ]);
});

test("a connection that is lost ends its sessions, and the next ones make it anew", async () => {
  await tell({ do: "hang-up" });
  await allReadSince(Date.parse((await api.call("overview")).clock.now));
  assert.equal((await tell({ do: "status" })).connections, 1);
});

test("a concentrator whose certificate is revoked is spoken with no more", async () => {
  const { stdout } = await meterkeep.command(["pki", "search", "--subject", `CN=${NAME}`, "--is", "valid", "--json"]);
  const found = JSON.parse(stdout) as readonly { readonly authority: string; readonly serial: string }[];
  assert.equal(found.length, 1);
  const { authority, serial } = found[0]!;
  const revoked = await meterkeep.command(["pki", "revoke", authority, serial, "--reason", "keyCompromise"]);
  assert.equal(revoked.status, 0, revoked.stderr);
  await tell({ do: "hang-up" });
  await until(
    "no session goes through it any more",
    async () => {
      const { sessions } = await api.call("meterSessions", { params: { systemTitle: behind[0]! } });
      return sessions[0]?.code === "connection-failed";
    },
    PATIENCE,
  );
});
