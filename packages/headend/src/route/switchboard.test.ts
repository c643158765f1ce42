import assert from "node:assert/strict";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { TransportError } from "@meterkeep/dlms-node";
import fc from "fast-check";
import type { Dial, MeterLine } from "../session/line.ts";
import { parseRoute, routeText } from "./route.ts";
import { serveLine, switchboardDial } from "./switchboard.ts";

const SAPS = { clientSap: 1, serverSap: 16 };
const ROUTE = parseRoute("concentrator://dc-1/0/4D4B560000000001?network=lan");
const NEVER = new AbortController().signal;
const HELLO = Uint8Array.of(0x60, 1, 2);

interface Held {
  readonly dial: Dial;
  readonly asked: { readonly route: string; readonly clientSap: number; readonly serverSap: number }[];
  readonly exchanged: Uint8Array[];
  proven: number;
  ended: number;
  readonly aborted: Promise<void>;
}

/** What the process that holds connections dials with: it answers with what it was sent, in reverse. */
function held(exchange?: MeterLine["exchange"]): Held {
  const { promise, resolve } = Promise.withResolvers<void>();
  const self: Held = {
    asked: [],
    exchanged: [],
    proven: 0,
    ended: 0,
    aborted: promise,
    dial: async (route, { clientSap, serverSap }) => {
      self.asked.push({ route: routeText(route), clientSap, serverSap });
      return {
        exchange: async (apdu, signal) => {
          signal.addEventListener("abort", () => resolve(), { once: true });
          self.exchanged.push(Uint8Array.from(apdu));
          return exchange === undefined ? Uint8Array.from(apdu).toReversed() : exchange(apdu, signal);
        },
        proven: () => {
          self.proven += 1;
        },
        [Symbol.asyncDispose]: async () => {
          self.ended += 1;
        },
      };
    },
  };
  return self;
}

/** As two ends of a socket: one that is destroyed takes the other with it. */
function streamPair(): readonly [Duplex, Duplex] {
  const [one, other] = duplexPair();
  one.once("close", () => other.destroy());
  other.once("close", () => one.destroy());
  return [one, other];
}

/** A worker's dial to a holder, and the stream of the newest line. */
function worker({ dial }: Pick<Held, "dial">): { readonly dial: Dial; stream(): Duplex } {
  let newest: Duplex | undefined;
  return {
    dial: switchboardDial(async () => {
      const [own, others] = streamPair();
      newest = own;
      serveLine(others, dial);
      return own;
    }),
    stream: () => newest as Duplex,
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("a worker speaks over a connection that another process holds, and says when the meter has proven itself", async () => {
  const holder = held();
  {
    await using line = await worker(holder).dial(ROUTE, { ...SAPS, apdu: HELLO } as typeof SAPS, NEVER);
    assert.deepEqual([...(await line.exchange(HELLO, NEVER))], [...HELLO.toReversed()]);
    line.proven?.();
    assert.deepEqual([...(await line.exchange(Uint8Array.of(9), NEVER))], [9]);
  }
  await until(() => holder.ended === 1);
  assert.equal(holder.proven, 1);
  assert.deepEqual(holder.asked, [{ route: "concentrator://dc-1/0/4D4B560000000001?network=lan", ...SAPS }]);
});

test("a worker that dies in the middle of an exchange ends its line, and what it had asked is given up", async () => {
  const holder = held(
    (_, signal) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("gone")))),
  );
  const killed = worker(holder);
  const line = await killed.dial(ROUTE, SAPS, NEVER);
  const lost = assert.rejects(line.exchange(HELLO, NEVER), { code: "connection-closed" });
  await until(() => holder.exchanged.length === 1);
  killed.stream().destroy();
  await lost;
  await holder.aborted;
  await until(() => holder.ended === 1);
});

test("a session that is cancelled gives its line back at once", async () => {
  const holder = held(
    (_, signal) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("gone")))),
  );
  const line = await worker(holder).dial(ROUTE, SAPS, NEVER);
  const cancelled = new AbortController();
  const lost = assert.rejects(line.exchange(HELLO, cancelled.signal), { code: "exchange-aborted" });
  await until(() => holder.exchanged.length === 1);
  cancelled.abort();
  await lost;
  await until(() => holder.ended === 1);
  await assert.rejects(line.exchange(HELLO, NEVER), { code: "exchange-aborted" });
});

test("what the holder cannot do is told by the same code, before a line and on it", async () => {
  const nowhere: Dial = async () => {
    throw new TransportError("connection-failed", "meter 4D4B560000000001 has not called");
  };
  await assert.rejects(worker({ dial: nowhere }).dial(ROUTE, SAPS, NEVER), {
    name: "TransportError",
    code: "connection-failed",
    message: "meter 4D4B560000000001 has not called",
  });
  const silent = held(async () => {
    throw new TransportError("response-timeout", "no answer");
  });
  await using line = await worker(silent).dial(ROUTE, SAPS, NEVER);
  await assert.rejects(line.exchange(HELLO, NEVER), { code: "response-timeout" });
});

test("a way to an address is not followed for a worker: it has that itself", async () => {
  const holder = held();
  await assert.rejects(worker(holder).dial(parseRoute("tcp://192.0.2.1:4059"), SAPS, NEVER), {
    code: "connection-failed",
  });
  assert.deepEqual(holder.asked, []);
});

test("a holder that is gone fails the session that needs it", async () => {
  const holder = held();
  const own = worker(holder);
  const line = await own.dial(ROUTE, SAPS, NEVER);
  own.stream().destroy();
  await assert.rejects(line.exchange(HELLO, NEVER), { code: "connection-closed" });
});

test(
  "whatever octets arrive, neither end throws, and a line that is spoken nonsense on ends",
  { timeout: 60_000 },
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 4 }), async (chunks) => {
        const holder = held();
        const [own, others] = streamPair();
        serveLine(others, holder.dial);
        own.on("error", () => undefined);
        own.resume();
        for (const chunk of chunks) if (own.writable) own.write(chunk);
        own.end();
        own.destroy();
        others.destroy();
        const [client, server] = streamPair();
        server.on("error", () => undefined);
        server.resume();
        const dialled = switchboardDial(async () => client)(ROUTE, SAPS, NEVER).then(
          (line) => line[Symbol.asyncDispose](),
          (error: unknown) => assert.ok(error instanceof TransportError),
        );
        for (const chunk of chunks) if (server.writable) server.write(chunk);
        server.destroy();
        client.destroy();
        await dialled;
      }),
      { numRuns: 300 },
    ),
);
