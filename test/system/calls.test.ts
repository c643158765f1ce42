import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { encodeWrapper, fromHex } from "@meterkeep/dlms";
import { freePort } from "@meterkeep/postgres/testing";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

// The last meters of the field call, and are reached in no other way: the first and the third over mutual TLS, with what
// their maker gave them until they have key pairs of their own. An SMS gateway of the test wakes those that sleep.
const CALLERS = 4;
const PATIENCE = { patienceMs: 180_000 };

let meterkeep: Meterkeep;
let api: ApiClient;
let callPort: number;
let callTlsPort: number;
let callers: readonly string[];
before(async () => {
  [callPort, callTlsPort] = [await freePort(), await freePort()];
  gateway.listen(0, "127.0.0.1");
  await once(gateway, "listening");
  const { port: wakePort } = gateway.address() as AddressInfo;
  meterkeep = await startMeterkeep({
    meters: 16,
    speed: 300,
    options: [
      ...["--profiles", "idis-p3=1"],
      ...["--call-port", String(callPort), "--call-tls-port", String(callTlsPort), "--callers", String(CALLERS)],
      ...["--wake-up-url", `http://127.0.0.1:${wakePort}/sms`, "--wake-up-authorization", "Bearer of-the-operator"],
    ],
  });
  api = await ownerClient(meterkeep);
  const inField = (await townControl(meterkeep.stateDirectory).truth()).filter(({ depotPort }) => depotPort === null);
  callers = inField.slice(-CALLERS).map(({ systemTitle }) => systemTitle);
});
after(async () => {
  gateway.closeAllConnections();
  gateway.close();
  await meterkeep.stop();
});

/** What the gateway was asked; whom it has an address of, it wakes. */
const woken: { readonly authorization: string | undefined; readonly systemTitle: string }[] = [];
const gateway = createServer((request, response) => void takeWakeUp(request, response));

async function takeWakeUp(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { systemTitle } = JSON.parse((await request.toArray()).map(String).join("")) as { systemTitle: string };
  woken.push({ authorization: request.headers.authorization, systemTitle });
  response.writeHead(202).end();
  await townControl(meterkeep.stateDirectory).ask([{ do: "wake", meter: systemTitle }]);
}

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

interface EnrolledMeter {
  readonly meter: string;
  readonly verdict: string;
  readonly certificates: readonly { readonly use: string; readonly serial: string }[];
}

interface TlsCertificate {
  readonly authority: string;
  readonly serial: string;
  readonly profile: string;
}

async function tlsCertificates(title: string, state: string): Promise<readonly TlsCertificate[]> {
  const { stdout } = await meterkeep.command(["pki", "search", "--subject", `CN=${title}`, "--is", state, "--json"]);
  return (JSON.parse(stdout) as readonly TlsCertificate[]).filter(({ profile }) => profile.endsWith("-tls"));
}

async function revoke(title: string): Promise<void> {
  const own = await tlsCertificates(title, "valid");
  assert.equal(own.length, 1);
  const { authority, serial } = own[0]!;
  const revoked = await meterkeep.command(["pki", "revoke", authority, serial, "--reason", "keyCompromise"]);
  assert.equal(revoked.status, 0, revoked.stderr);
}

const truthOf = async (title: string) =>
  (await townControl(meterkeep.stateDirectory).truth()).find(({ systemTitle }) => systemTitle === title)!;
const connectedOf = async (title: string): Promise<boolean> => (await truthOf(title)).connected;

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

test("a meter that calls over TLS is enrolled over its calls, and calls with the pair that it made from then on", async () => {
  const overTls = [callers[0]!, callers[2]!];
  const enrolled = await until(
    "they have certificates of their own",
    async () => {
      const { status, stdout } = await meterkeep.command(["keys", "certificates", "--json"]);
      if (status !== 0) return false;
      const { meters } = JSON.parse(stdout) as { meters: readonly EnrolledMeter[] };
      const found = meters.filter(({ meter, verdict }) => overTls.includes(meter) && verdict === "enrolled");
      return found.length === overTls.length && found;
    },
    { ...PATIENCE, everyMs: 1000 },
  );
  for (const { meter, certificates } of enrolled) {
    const own = certificates.find(({ use }) => use === "tls");
    const [standing, ...others] = await tlsCertificates(meter, "valid");
    assert.deepEqual([standing?.serial, others], [own?.serial, []]);
    assert.equal((await tlsCertificates(meter, "revoked")).length, 1, "what it was made with");
    await townControl(meterkeep.stateDirectory).ask([{ do: "call-again", meter }]);
    await until(
      "it calls with its own",
      async () => {
        const { shown } = await truthOf(meter);
        return shown !== null && own !== undefined && BigInt(`0x${shown}`) === BigInt(`0x${own.serial}`);
      },
      PATIENCE,
    );
  }
  await readAgain(overTls);
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

test("who has no certificate of the utility's own PKI keeps no connection to the port of mutual TLS", async () => {
  const socket = connectTls({ port: callTlsPort, host: "127.0.0.1", rejectUnauthorized: false });
  socket.on("error", () => undefined);
  socket.resume();
  await until("it is turned away", () => socket.closed, PATIENCE);
});

test("a meter that sleeps is woken when it is due, calls, and is read: over TCP and over TLS", async () => {
  const sleepers = callers.slice(0, 2);
  await townControl(meterkeep.stateDirectory).ask(sleepers.map((meter) => ({ do: "sleep", meter })));
  const asked = (title: string) => woken.filter(({ systemTitle }) => systemTitle === title);
  // One that is being read while it falls asleep is read once more without being woken.
  await until("both are woken", () => sleepers.every((title) => asked(title).length > 0), PATIENCE);
  await readAgain(sleepers);
  for (const title of sleepers) {
    assert.ok(asked(title).length <= 4, `${asked(title).length}`);
    assert.equal(asked(title)[0]?.authorization, "Bearer of-the-operator");
  }
});

test("after the head-end was killed meters call again, and their readings go on", async () => {
  const pid = meterkeep.pids()["server"]!;
  process.kill(pid, "SIGKILL");
  await until("the server is back", () => meterkeep.pids()["server"] !== pid, PATIENCE);
  await until("the API answers", () => api.call("health").catch(() => undefined), PATIENCE);
  await readAgain();
});

test("a meter whose certificate is revoked is not heard when it calls again", async () => {
  const [, , title] = callers;
  await revoke(title!);
  await townControl(meterkeep.stateDirectory).ask([{ do: "call-again", meter: title! }]);
  await until(
    "it is turned away",
    async () => {
      const { sessions } = await api.call("meterSessions", { params: { systemTitle: title! } });
      return sessions[0]?.code === "connection-failed";
    },
    PATIENCE,
  );
});
