import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import type { MeterDetail } from "@meterkeep/api";
import { encodeWrapper } from "@meterkeep/dlms";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { collectSecrets } from "../src/custody-keys.ts";
import { makeAlarm, makePush, type PushingMeter } from "../src/pushing-meter.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

const PATIENCE = { patienceMs: 180_000 };
/** A day of the town takes 72 seconds, and a meter may have its turn late. */
const A_DAY = { patienceMs: 600_000 };
/** A little longer than a place is remembered at which a meter was not found. */
const ANNOUNCES_EVERY_MS = 65_000;
/** The counters of the town's own pushes are far below. */
let counter = 0x2000_0000;
const next = (): number => {
  counter += 1;
  return counter;
};

let meterkeep: Meterkeep;
let api: ApiClient;
let homes: readonly string[];
/** One of whose alarm bits it is known what they mean. */
let idis: string;
before(async () => {
  meterkeep = await startMeterkeep({ meters: 16, speed: 1200 });
  api = await ownerClient(meterkeep);
  await until(
    "all meters are taken over",
    async () => (await api.meters()).every(({ takeover }) => takeover === "proven" || takeover === "refused"),
    PATIENCE,
  );
  const proven = (await api.meters()).filter(({ role, takeover }) => role === "home" && takeover === "proven");
  homes = proven.map(({ systemTitle }) => systemTitle);
  // Found when the town's day has ended, which takes as long as all the others do.
  await townControl(meterkeep.stateDirectory).ask([
    { do: "push-destination", meter: homes[3]!, destination: "198.51.100.7:4059" },
  ]);
  idis = proven.findLast(({ profile }) => profile.startsWith("idis"))!.systemTitle;
});
after(() => meterkeep.stop());

async function meterOf(title: string): Promise<PushingMeter> {
  const keys = (await collectSecrets(meterkeep.stateDirectory)).filter(
    ({ meter, state }) => meter === title && state === "active",
  );
  const keyOf = (purpose: string): Uint8Array => keys.find(({ name }) => name.startsWith(purpose))!.octets;
  return { title, encryptionKey: keyOf("GUEK"), authenticationKey: keyOf("GAK") };
}

/** Pushes from an address of this machine. */
async function pushFrom(localAddress: string, octets: readonly Uint8Array[]): Promise<void> {
  const socket = connect({ port: meterkeep.ports.push, host: "127.0.0.1", localAddress });
  socket.resume();
  await once(socket, "connect");
  for (const apdu of octets) socket.write(encodeWrapper(1, 102, apdu));
  socket.end();
  await once(socket, "close");
}

const incidentsOf = async (title: string): Promise<MeterDetail["incidents"]> =>
  (await api.call("meter", { params: { systemTitle: title } })).incidents;

async function incident(title: string, kind: string): Promise<MeterDetail["incidents"][number]> {
  return until(
    `an incident ${kind}`,
    async () => (await incidentsOf(title)).find((one) => one.kind === kind),
    PATIENCE,
  );
}

const acceptedFrom = async (title: string, address: string): Promise<number> =>
  (await api.call("pushSources")).sources
    .filter((source) => source.meter === title && source.address === address)
    .reduce((sum, { accepted }) => sum + accepted, 0);

/** The ledger has had the incident before anybody was told. */
async function isInLedger(title: string, kind: string, place: string): Promise<void> {
  const { entries } = await api.call("ledger", { query: { source: "head-end", meter: title, limit: 500 } });
  const bodies = entries
    .filter((entry) => entry.kind === "destination-incident" && entry.meter === title)
    .map(
      ({ body }) =>
        JSON.parse(body) as { readonly incident: string; readonly place: string; readonly sentence: string },
    );
  const entry = bodies.find((body) => body.incident === kind && body.place === place);
  assert.ok(entry, `${kind} at ${place} of ${title}: ${JSON.stringify(bodies)}`);
  assert.equal(entry.sentence, (await incident(title, kind)).sentence);
}

/** An authenticated push of a meter from an address, and that it was taken. */
async function authentic(meter: PushingMeter, address: string): Promise<void> {
  const before = await acceptedFrom(meter.title, address);
  await pushFrom(address, [
    makePush(meter, next(), { energyWh: 1, now: new Date((await api.call("overview")).clock.now) }),
  ]);
  await until("it is taken", async () => (await acceptedFrom(meter.title, address)) > before);
}

test("a meter that moves to another address with an authenticated push raises no alarm", async () => {
  const meter = await meterOf(homes[0]!);
  // It has been heard from where it is: what it says by itself there comes with counters below those of the test from now on.
  await townControl(meterkeep.stateDirectory).ask([{ do: "push", meter: meter.title, kind: "report" }]);
  await until("it is heard", async () => (await acceptedFrom(meter.title, "127.0.0.1")) > 0);
  for (const address of ["127.0.0.2", "127.0.0.3", "127.0.0.4"]) await authentic(meter, address);
  assert.deepEqual(await incidentsOf(meter.title), []);
});

test("a meter that announces itself at a new address is read there once a session has proven it, and not before", async () => {
  const meter = await meterOf(homes[5]!);
  const { port } = (await townControl(meterkeep.stateDirectory).truth()).find(
    ({ systemTitle }) => systemTitle === meter.title,
  )!;
  const readAt = async (): Promise<string | undefined> => {
    const { destinations } = await api.call("meter", { params: { systemTitle: meter.title } });
    return destinations.find(({ purpose }) => purpose === "read")?.address;
  };
  const sessions = async () =>
    (await api.call("meterSessions", { params: { systemTitle: meter.title } })).sessions.filter(
      ({ purpose }) => purpose === "read",
    );
  const written = `tcp://127.0.0.1:${port}?moves=yes`;
  assert.equal(await readAt(), written);
  // Whoever carries a notification along can send it on from anywhere: nobody answers as the meter there.
  const impostor = createServer((socket) => socket.on("error", () => undefined).destroy()).listen(port, "127.0.0.8");
  await once(impostor, "listening");
  await authentic(meter, "127.0.0.8");
  await until(
    "it was tried there in vain",
    async () => (await sessions()).some(({ outcome }) => outcome !== "done"),
    PATIENCE,
  );
  await until("it is read where it was", async () => (await readAt()) === written, PATIENCE);
  impostor.close();
  // The meter's line at its new address: what comes there goes to the meter.
  const line = createServer((socket) => {
    const meterSide = connect({ port, host: "127.0.0.1" });
    for (const [from, to] of [
      [socket, meterSide],
      [meterSide, socket],
    ] as const)
      from.on("error", () => to.destroy()).pipe(to);
  }).listen(port, "127.0.0.7");
  await once(line, "listening");
  try {
    // It goes on saying where it is: a session there may have found its line taken.
    let announcedAt = Number.NEGATIVE_INFINITY;
    await until(
      "it has moved",
      async () => {
        if (performance.now() - announcedAt > ANNOUNCES_EVERY_MS) {
          announcedAt = performance.now();
          await authentic(meter, "127.0.0.7");
        }
        return (await readAt()) === `tcp://127.0.0.7:${port}?moves=yes`;
      },
      A_DAY,
    );
    const [newest] = await sessions();
    await until(
      "it is read there",
      async () => {
        const [next] = await sessions();
        return next !== undefined && next.id !== newest?.id && next.outcome === "done";
      },
      PATIENCE,
    );
    assert.equal(await readAt(), `tcp://127.0.0.7:${port}?moves=yes`);
  } finally {
    line.close();
  }
});

test("what is refused in a meter's name from where it was never heard is an incident: an event, a line of its page, an entry of the ledger", async () => {
  const title = homes[1]!;
  const meter = await meterOf(title);
  const forged = makePush({ ...meter, authenticationKey: new Uint8Array(16) }, next(), { energyWh: 1 });
  await pushFrom("127.0.0.9", [forged]);
  const shown = await incident(title, "foreign-traffic");
  assert.equal(shown.place, "127.0.0.9");
  const { events } = await api.call("recentEvents", { query: { limit: 200 } });
  const event = events.find((one) => one.meter === title && one.sentence === shown.sentence);
  assert.equal(event?.severity, "warning");
  await isInLedger(title, "foreign-traffic", "127.0.0.9");
  await pushFrom("127.0.0.9", [forged]);
  await until("it is counted", async () => (await incident(title, "foreign-traffic")).count >= 2);
});

test("two places that prove themselves as one meter in turn are an incident", async () => {
  const meter = await meterOf(homes[2]!);
  for (let n = 0; n < 4; n += 1) for (const address of ["127.0.0.5", "127.0.0.6"]) await authentic(meter, address);
  const { place } = await incident(meter.title, "two-places");
  await isInLedger(meter.title, "two-places", place);
});

test("a push set-up that points elsewhere is found with the reading after a day's end, and those that point to us are not", async () => {
  const title = homes[3]!;
  const found = async () => (await incidentsOf(title)).find(({ kind }) => kind === "points-elsewhere");
  const { place } = await until("it is found", found, A_DAY);
  assert.equal(place, "198.51.100.7:4059");
  await isInLedger(title, "points-elsewhere", "198.51.100.7:4059");
  for (const other of homes.slice(4))
    assert.ok(
      (await incidentsOf(other)).every(({ kind }) => kind !== "points-elsewhere"),
      other,
    );
});

test("a storm of alarms is one line, every alarm of it is stored, and one of tampering is told among them", async () => {
  const meter = await meterOf(idis);
  // Each of a moment of its own: what a meter says again of the same moment is known, and is not stored again.
  const at = Date.parse((await api.call("overview")).clock.now);
  const momentOf = (n: number): Date => new Date(at - (40 - n) * 1000);
  const linesOf = async () => {
    const { events } = await api.call("recentEvents", { query: { limit: 500 } });
    return events
      .filter(({ meter: of, type }) => of === meter.title && type === "push")
      .map(({ sentence }) => sentence);
  };
  const told = (lines: readonly string[], words: RegExp): number => lines.filter((line) => words.test(line)).length;
  // The meter may have told of tampering by itself before.
  const before = await linesOf();
  const alarms = Array.from({ length: 40 }, (_, n) => makeAlarm(meter, next(), 0x02, momentOf(n)));
  await pushFrom("127.0.0.1", [...alarms, makeAlarm(meter, next(), 0x2000, momentOf(40))]);
  const lines = await until("tampering is told", async () => {
    const now = await linesOf();
    return told(now, /fraud/) > told(before, /fraud/) && told(now, /a storm of alarms, battery/) > 0 && now;
  });
  assert.equal(told(lines, /alarm, battery/), 20);
  assert.equal(told(lines, /a storm of alarms, battery/), 1);
  await until("every one of them is stored", async () => {
    const { readings } = await api.call("readings", {
      params: { systemTitle: meter.title },
      query: { trust: "all", limit: 10_000 },
    });
    return readings.filter(({ obis, value }) => obis === "0-0:97.98.0" && value === 2).length >= 40;
  });
});
