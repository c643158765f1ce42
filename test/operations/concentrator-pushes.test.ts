import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { encodeWrapper, fromHex, toHex } from "@meterkeep/dlms";
import { connectTls, listenForPushesTcp, type TlsIdentity, WrapperFrames } from "@meterkeep/dlms-node";
import { Concentrators } from "@meterkeep/headend";
import { createChannelCredential } from "@meterkeep/pki";
import { Concentrator } from "../../apps/concentrator/src/concentrator.ts";
import type { Mischief } from "../../apps/concentrator/src/mischief.ts";
import { WayOut } from "../../apps/town/src/way-out.ts";
import { until } from "../src/until.ts";

const DAY_MS = 86_400_000;
const [A, B, ALIEN] = ["4D4B560000000001", "4D4B560000000002", "4D4B560000000009"] as const;
const NEVER = new AbortController().signal;

const credential = (name: string) =>
  createChannelCredential({
    name,
    serial: randomBytes(16),
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
  });

type Find = ConstructorParameters<typeof Concentrator>[0]["find"];

/** Two meters on one port. */
const two =
  (port: number): Find =>
  async (address) =>
    address === A || address === B ? { host: "127.0.0.1", port } : undefined;

/** A concentrator with the meters behind it that it finds, the town's way out, and a head-end that has not connected yet. */
async function bench(find: Find = two(1)) {
  await using stack = new AsyncDisposableStack();
  const [headEnd, own] = [credential("head-end"), credential("dc-1")];
  const authorities = headEnd.certificate + own.certificate;
  const concentrator = stack.use(
    new Concentrator({
      name: "dc-1",
      host: "127.0.0.1",
      port: 0,
      ...own,
      authorities,
      headEnd: "head-end",
      find,
    }),
  );
  const { port, pushPort } = await concentrator.listen();
  const exchange = mkdtempSync(join(tmpdir(), "mk-way-out-"));
  stack.defer(() => rmSync(exchange, { recursive: true, force: true }));
  const meters = [A, B, ALIEN].map((systemTitle) => ({ systemTitle, networkId: 0, physicalAddress: systemTitle }));
  const told = { name: "dc-1", host: "127.0.0.1", port, pushPort, meters };
  writeFileSync(join(exchange, "concentrators.json"), JSON.stringify({ concentrators: [told] }));
  const heard: string[] = [];
  const identity: TlsIdentity = { ...headEnd, authorities };
  const concentrators = stack.use(
    new Concentrators({
      connect: async (place, signal) => ({
        stream: await connectTls({
          ...identity,
          ...place,
          peer: place.name,
          signal,
          connectTimeoutMilliseconds: 60_000,
        }),
        stands: async () => true,
      }),
      onUnsolicited: (name, apdu, device) =>
        heard.push(`${name} ${toHex(device?.physicalAddress ?? fromHex("")).toUpperCase()} ${toHex(apdu)}`),
      onState: () => undefined,
      now: () => Date.now(),
    }),
  );
  concentrators.place([told]);
  const wayOut = new WayOut(exchange);
  const targetOf = (title: string) => {
    const gateway = { networkId: 0, physicalAddress: fromHex(title) };
    return { clientSap: 1, serverSap: 1, responseTimeoutMilliseconds: 3_600_000, gateway };
  };
  const running = stack.move();
  return {
    heard,
    wayOut,
    connections: () => concentrator.connections,
    push: (systemTitle: string, hex: string) =>
      wayOut.send({ systemTitle, apdu: fromHex(hex), transport: "udp", destination: "127.0.0.1:9" }),
    connect: async () => (await concentrators.open("dc-1", targetOf(A), NEVER))[Symbol.asyncDispose](),
    ask: async (systemTitle: string, hex: string) => {
      await using line = await concentrators.open("dc-1", targetOf(systemTitle), NEVER);
      return toHex(await line.exchange(fromHex(hex), NEVER));
    },
    misbehave: (kind: Mischief["kind"], times: number) =>
      concentrator.passage.tell({ kind, times, milliseconds: 0, to: "pushes" }),
    hasMisbehaved: (times: number) => until("it has misbehaved", () => concentrator.passage.done === times),
    comes: (line: string) => until(line, () => heard.includes(line)),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const from = (title: string, hex: string): string => `dc-1 ${title} ${hex}`;

test("what meters behind a concentrator push comes over its one connection, and says which of them sent it", async () => {
  await using at = await bench();
  await at.push(A, "db0801");
  await at.connect();
  await at.comes(from(A, "db0801"));
  await at.push(B, "db0802");
  await at.comes(from(B, "db0802"));
  await at.push(ALIEN, "db0803");
  await at.push(A, "db0804");
  await at.comes(from(A, "db0804"));
  assert.deepEqual(at.heard, [from(A, "db0801"), from(B, "db0802"), from(A, "db0804")]);
});

test("a concentrator may withhold, repeat, change and swap pushes, and answers are let be meanwhile", async () => {
  await using at = await bench();
  await at.connect();
  await at.push(A, "db080111");
  await at.comes(from(A, "db080111"));
  at.misbehave("drop", 1);
  await at.push(A, "db080222");
  await at.hasMisbehaved(1);
  await at.push(A, "db080333");
  await at.comes(from(A, "db080333"));
  assert.ok(!at.heard.includes(from(A, "db080222")));
  at.misbehave("lie", 1);
  await at.push(A, "db080444");
  await at.comes(from(A, "db081444"));
  at.misbehave("swap", 1);
  await at.push(B, "db080555");
  await at.comes(from(B, "db080444"));
  at.heard.length = 0;
  at.misbehave("replay", 1);
  await at.push(A, "db080666");
  await until("old ones came behind it", () => at.heard.length === 5);
  assert.deepEqual(at.heard[0], from(A, "db080666"));
  assert.ok(at.heard.includes(from(A, "db080111")));
});

test("a meter that is behind no concentrator pushes to its own destination", async () => {
  await using at = await bench();
  const heard: string[] = [];
  await using listener = await listenForPushesTcp({ onPush: ({ apdu }) => heard.push(toHex(apdu)) });
  const { port } = listener;
  const sent = { apdu: fromHex("db0801"), transport: "tcp", destination: `127.0.0.1:${port}` } as const;
  await at.wayOut.send({ systemTitle: "4D4B5600000000FF", ...sent });
  await until("it came", () => heard.length === 1);
});

test("who waits for a meter whose line breaks, or is not made, is told at once, and the next one asks anew", async () => {
  let breaks = true;
  const meter = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => {
      if (breaks) socket.destroy();
      else socket.write(encodeWrapper(1, 1, fromHex("c401")));
    });
  }).listen(0, "127.0.0.1");
  await once(meter, "listening");
  await using at = await bench(two((meter.address() as AddressInfo).port));
  try {
    for (let time = 0; time < 2; time += 1)
      await assert.rejects(at.ask(A, "c001"), { code: "connection-closed", message: /cannot be reached/ });
    breaks = false;
    assert.equal(await at.ask(A, "c001"), "c401");
  } finally {
    meter.close();
  }
  await using away = await bench();
  await assert.rejects(away.ask(B, "c001"), { code: "connection-closed", message: /cannot be reached/ });
  assert.deepEqual(away.heard, []);
});

test("130 meters that are asked at once over the one connection of their concentrator are each answered for themselves", async () => {
  await using stack = new AsyncDisposableStack();
  const numbers = Array.from({ length: 130 }, (_, number) => number.toString(16).padStart(2, "0"));
  const ports = new Map<string, number>();
  for (const number of numbers) {
    const meter = createServer((socket) => {
      socket.on("error", () => undefined);
      const frames = new WrapperFrames();
      // Each says its own number, behind what it was asked.
      socket.on("data", (chunk: Uint8Array) => {
        for (const { apdu } of frames.push(chunk))
          socket.write(encodeWrapper(1, 1, fromHex(`${toHex(apdu)}${number}`)));
      });
    }).listen(0, "127.0.0.1");
    await once(meter, "listening");
    stack.defer(() => void meter.close());
    ports.set(`4D4B5600000001${number.toUpperCase()}`, (meter.address() as AddressInfo).port);
  }
  await using at = await bench(async (address) => {
    const port = ports.get(address);
    return port === undefined ? undefined : { host: "127.0.0.1", port };
  });
  const titles = [...ports.keys()];
  for (const asked of ["c001", "c002"]) {
    const answers = await Promise.all(titles.map((title) => at.ask(title, asked)));
    assert.deepEqual(
      answers,
      numbers.map((number) => `${asked}${number}`),
    );
  }
  assert.equal(at.connections(), 1);
});
