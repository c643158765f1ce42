import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { encodeWrapper, fromHex } from "@meterkeep/dlms";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { freePort, type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

// The last meters of the field call, and are reached in no other way.
const CALLERS = 4;
const PATIENCE = { patienceMs: 180_000 };

let meterkeep: Meterkeep;
let api: ApiClient;
let callPort: number;
let callers: readonly string[];
before(async () => {
  callPort = await freePort();
  meterkeep = await startMeterkeep({
    meters: 16,
    speed: 300,
    options: ["--call-port", String(callPort), "--callers", String(CALLERS)],
  });
  api = await ownerClient(meterkeep);
  const inField = (await townControl(meterkeep.stateDirectory).truth()).filter(({ depotPort }) => depotPort === null);
  callers = inField.slice(-CALLERS).map(({ systemTitle }) => systemTitle);
});
after(() => meterkeep.stop());

async function readAgain(titles: readonly string[] = callers): Promise<void> {
  const moment = Date.parse((await api.call("overview")).clock.now);
  await until(
    "the meters are read again",
    async () => {
      const meters = (await api.meters()).filter(({ systemTitle }) => titles.includes(systemTitle));
      return meters.every(({ lastReadingAt }) => lastReadingAt !== undefined && Date.parse(lastReadingAt) > moment);
    },
    PATIENCE,
  );
}

/** What a meter has pushed, octet for octet: anybody on the line may have recorded it. */
async function recordedPush(title: string): Promise<Uint8Array> {
  const reading = await until("it has pushed", async () => {
    const { readings } = await api.call("readings", {
      params: { systemTitle: title },
      query: { trust: "all", limit: 10_000 },
    });
    return readings.find(({ source }) => source === "push");
  });
  return fromHex((await api.call("evidence", { params: { hash: reading.evidence } })).apdu);
}

async function call(...apdus: readonly Uint8Array[]): Promise<Socket> {
  const socket = connect(callPort, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  await once(socket, "connect");
  for (const apdu of apdus) socket.write(encodeWrapper(1, 1, apdu));
  return socket;
}

const connectedOf = async (title: string): Promise<boolean> =>
  (await townControl(meterkeep.stateDirectory).truth()).find(({ systemTitle }) => systemTitle === title)!.connected;

test("meters that call are taken over and read over the connection that they keep", async () => {
  await until(
    "the callers are taken over",
    async () =>
      (await api.meters()).every(
        ({ systemTitle, takeover }) =>
          !callers.includes(systemTitle) || takeover === "proven" || takeover === "refused",
      ),
    PATIENCE,
  );
  await readAgain();
  const { destinations } = await api.call("meter", { params: { systemTitle: callers[0]! } });
  assert.equal(destinations.find(({ purpose }) => purpose === "read")?.address, `dial-in://${callers[0]}`);
});

test("a recorded notification binds no connection: the meter's own goes on, and the thief is told of", async () => {
  const [title] = callers;
  const octets = await recordedPush(title!);
  using socket = Object.assign(await call(octets), { [Symbol.dispose]: () => undefined });
  await until("the replay is refused", async () => {
    const { sources } = await api.call("pushSources");
    return sources.some(({ meter, lastRefusal }) => meter === title && lastRefusal === "replayed");
  });
  await readAgain([title!]);
  assert.equal(await connectedOf(title!), true);
  socket.destroy();
});

test("a meter that calls anew takes the place of its older connection, and is read over the newer one", async () => {
  const [, title] = callers;
  await townControl(meterkeep.stateDirectory).ask([{ do: "call-again", meter: title! }]);
  await readAgain([title!]);
});

test("whoever connects and proves nothing is turned away, and nobody else notices", async () => {
  const socket = await call(fromHex("0F00000001"), ...Array.from({ length: 12 }, () => fromHex("0F00000001")));
  await until("it is turned away", () => socket.destroyed || socket.closed, PATIENCE);
  await readAgain();
});

test("after the head-end was killed meters call again, and their readings go on", async () => {
  const pid = meterkeep.pids()["server"]!;
  process.kill(pid, "SIGKILL");
  await until("the server is back", () => meterkeep.pids()["server"] !== pid, PATIENCE);
  await until("the API answers", () => api.call("health").catch(() => undefined), PATIENCE);
  await readAgain();
});
