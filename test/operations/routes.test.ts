import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { toHex } from "@meterkeep/dlms";
import {
  type ApduServer,
  gatewayServer,
  type Listener,
  listenHdlc,
  listenWrapper,
  listenWrapperUdp,
} from "@meterkeep/dlms-node";
import { clockOperation, meterOperations, NETWORKS, type Operation, parseRoute, routeDial } from "@meterkeep/headend";
import type { MeterConnection } from "@meterkeep/meter";
import { withOperationBench } from "../src/operation-bench.ts";
import { served } from "../src/served-meter.ts";

const DEVICE = 17;
/** Datagrams are sent again soon: these get lost on purpose. */
const SOON = { ...NETWORKS, "nb-iot": { ...NETWORKS["nb-iot"], retransmitSeconds: 0.5 } };
const readProfile = meterOperations({ destinations: () => [], shelf: { load: () => Promise.reject(new Error()) } }).get(
  "profile",
) as Operation;
const HOUR_MS = 3_600_000;
const timeText = (instant: number): string => `${new Date(instant).toISOString().slice(0, 19)}Z`;

/** A gateway that has the meter behind it and takes nothing for itself. */
function behindGateway(meter: ApduServer<MeterConnection>) {
  return gatewayServer(meter, (address) => (toHex(address.physicalAddress) === "0a0b" ? meter : undefined));
}

const LISTENERS: Readonly<Record<"tcp" | "udp" | "hdlc", (server: ApduServer<never>) => Promise<Listener>>> = {
  tcp: (server) => listenWrapper({ server }),
  udp: (server) => listenWrapperUdp({ server }),
  hdlc: (server) => listenHdlc({ server, logicalDevices: [1], physicalDevice: DEVICE }),
};

const WAYS: readonly { readonly name: string; readonly route: (port: number) => string }[] = [
  { name: "wrapper over TCP", route: (port) => `tcp://127.0.0.1:${port}?network=lan` },
  { name: "wrapper over UDP, datagrams being lost", route: (port) => `udp://127.0.0.1:${port}?network=nb-iot` },
  { name: "HDLC over TCP", route: (port) => `hdlc://127.0.0.1:${port}?device=${DEVICE}` },
  { name: "a gateway over TCP", route: (port) => `tcp://127.0.0.1:${port}?gateway=3/0A0B` },
  {
    name: "a gateway over UDP, datagrams being lost",
    route: (port) => `udp://127.0.0.1:${port}?gateway=3/0A0B&network=nb-iot`,
  },
  {
    name: "a gateway over HDLC",
    route: (port) => `hdlc://127.0.0.1:${port}?device=${DEVICE}&gateway=3/0A0B&network=plc`,
  },
];

/** Stands between a client and a meter on UDP, and loses every seventh datagram of either direction. */
async function losingRelay(port: number): Promise<Listener> {
  const [front, back] = [createSocket("udp4"), createSocket("udp4")];
  let [count, client] = [0, 0];
  const carry = (from: Socket, to: Socket, destination: () => number): void => {
    from.on("message", (datagram) => {
      count += 1;
      if (count % 7 !== 0) to.send(datagram, destination(), "127.0.0.1");
    });
  };
  front.on("message", (_, { port: from }) => {
    client = from;
  });
  carry(front, back, () => port);
  carry(back, front, () => client);
  for (const socket of [front, back]) {
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
  }
  return {
    host: "127.0.0.1",
    port: front.address().port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of [front, back]) socket.close();
    },
  };
}

for (const { name, route: routeTo } of WAYS)
  test(`a virtual meter is read and its clock set over ${name}, as it is without a line between`, () =>
    withOperationBench({}, async (at) => {
      const window = { profile: "load", from: timeText(at.custody.now - 6 * HOUR_MS), to: timeText(at.custody.now) };
      const directly = await at.run(readProfile, window);
      const kind = parseRoute(routeTo(1)).kind as "tcp" | "udp" | "hdlc";
      const isBehind = routeTo(1).includes("gateway");
      const server = (isBehind ? behindGateway(served(at.bench)) : served(at.bench)) as unknown as ApduServer<never>;
      await using meter = await LISTENERS[kind](server);
      await using listener = kind === "udp" ? await losingRelay(meter.port) : meter;
      at.way = { route: parseRoute(routeTo(listener.port)), dial: routeDial({}, SOON) };
      const counter = at.bench.meter.security.lastReceived;
      const { data } = await at.run(readProfile, window);
      assert.deepEqual(data, directly.data);
      assert.ok(at.bench.meter.security.lastReceived > counter, "it was the meter that answered");
      at.bench.meter.rollClock(30);
      const set = await at.run(clockOperation, { mostSeconds: 60 });
      assert.equal(set.outcome, "done", set.sentence);
      assert.ok(Math.abs(at.bench.meter.clock.offset) < 2_000);
    }));

test("a gateway that has no such meter behind it is silence, and an association that fails; nothing else is spoken with", () =>
  withOperationBench({}, async (at) => {
    await using listener = await listenWrapper({ server: behindGateway(served(at.bench)) });
    const short = { ...NETWORKS.lan, associationSeconds: 0.1 };
    at.way = {
      route: parseRoute(`tcp://127.0.0.1:${listener.port}?gateway=3/0C&network=lan`),
      dial: routeDial({}, { ...NETWORKS, lan: short }),
    };
    await assert.rejects(at.preview(clockOperation, { mostSeconds: 60 }), { code: "response-timeout" });
  }));

test("one meter that answers in another's place is found out, whichever way leads to it", () =>
  withOperationBench({}, async (at) => {
    await withOperationBench(
      { systemTitle: "4D4B560100989682", logicalDeviceName: "MKV0010010000002" },
      async (other) => {
        for (const kind of ["tcp", "udp", "hdlc"] as const) {
          await using listener = await LISTENERS[kind](served(other.bench) as unknown as ApduServer<never>);
          const text = `${kind}://127.0.0.1:${listener.port}${kind === "hdlc" ? `?device=${DEVICE}` : ""}`;
          at.way = { route: parseRoute(text), dial: routeDial() };
          await assert.rejects(at.preview(clockOperation, { mostSeconds: 60 }));
        }
      },
    );
  }));
