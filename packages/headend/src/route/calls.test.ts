import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { encodeWrapper, fromHex, toHex } from "@meterkeep/dlms";
import { onOctets, WrapperFrames } from "@meterkeep/dlms-node";
import { CALL_LIMITS, type CallLimits, Calls } from "./calls.ts";

const TITLE = "4D4B560000000001";
const SAPS = { clientSap: 1, serverSap: 1, responseTimeoutMilliseconds: 60_000 };
const NEVER = new AbortController().signal;
/** A notification that the stand-in for the custodian believes; one with another first octet it does not. */
const PROOF = fromHex(`0F${TITLE}`);
const RUMOUR = fromHex(`0E${TITLE}`);

interface Bench extends AsyncDisposable {
  readonly calls: Calls;
  readonly bound: string[];
  readonly wanted: string[];
  call(): Promise<Socket>;
}

async function bench(limits: Partial<CallLimits> = {}): Promise<Bench> {
  const [bound, wanted]: string[][] = [[], []];
  const calls = new Calls(
    {
      take: ({ apdu, authenticated }) => {
        if (apdu[0] === 0x0f) authenticated(toHex(apdu.subarray(1)).toUpperCase());
      },
      onBound: (title) => bound!.push(title),
      onWanted: (title) => wanted!.push(title),
    },
    { ...CALL_LIMITS, ...limits },
  );
  const server: Server = createServer((socket) => calls.accept(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const sockets: Socket[] = [];
  return {
    calls,
    bound: bound!,
    wanted: wanted!,
    call: async () => {
      const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
      socket.on("error", () => undefined);
      sockets.push(socket);
      await once(socket, "connect");
      return socket;
    },
    [Symbol.asyncDispose]: async () => {
      calls[Symbol.dispose]();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function say(socket: Socket, apdu: Uint8Array): Promise<void> {
  await new Promise<void>((resolve) => socket.write(encodeWrapper(1, 1, apdu), () => resolve()));
}

/** Answers every request with itself. */
function echo(socket: Socket): void {
  const frames = new WrapperFrames();
  onOctets(socket, (chunk) => {
    for (const { source, destination, apdu } of frames.push(chunk))
      socket.write(encodeWrapper(destination, source, apdu));
  });
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, "close");
}

const settled = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test("a connection is a meter's when it has proven that, and not before", async () => {
  await using under = await bench();
  const socket = await under.call();
  echo(socket);
  await say(socket, RUMOUR);
  await settled(() => under.calls.counts.unknown === 1);
  assert.throws(() => under.calls.open(TITLE, SAPS), { code: "connection-failed" });
  assert.deepEqual(under.wanted, [TITLE]);
  await say(socket, PROOF);
  await settled(() => under.calls.isBound(TITLE));
  await using line = under.calls.open(TITLE, SAPS);
  const request = fromHex("C0010203");
  assert.equal(toHex(await line.exchange(request, NEVER)), toHex(request));
  assert.deepEqual(under.bound, [TITLE]);
  assert.deepEqual(under.calls.counts, { bound: 1, unknown: 0 });
});

test("a newer connection takes the older one's place when it has proven itself, and what was under way fails cleanly", async () => {
  await using under = await bench();
  const older = await under.call();
  await say(older, PROOF);
  await settled(() => under.calls.isBound(TITLE));
  const waiting = under.calls.open(TITLE, SAPS).exchange(fromHex("C0"), NEVER);
  const newer = await under.call();
  echo(newer);
  await say(newer, RUMOUR);
  await settled(() => under.calls.counts.unknown === 1);
  assert.equal(older.destroyed, false, "a claim ends nothing");
  await say(newer, PROOF);
  await assert.rejects(waiting, { code: "connection-closed" });
  await closed(older);
  await using line = under.calls.open(TITLE, SAPS);
  await line.exchange(fromHex("C1"), NEVER);
  assert.deepEqual(under.calls.counts, { bound: 1, unknown: 0 });
});

test("who says nothing in time is turned away", async () => {
  await using under = await bench({ identifySeconds: 0.05 });
  await closed(await under.call());
});

test("who says much and proves nothing, or speaks for two meters, is turned away", async () => {
  await using under = await bench({ unknownNotifications: 3 });
  const talker = await under.call();
  for (let n = 0; n < 4; n += 1) await say(talker, RUMOUR);
  await closed(talker);
  const two = await under.call();
  await say(two, PROOF);
  await settled(() => under.calls.isBound(TITLE));
  await say(two, fromHex("0F4D4B560000000002"));
  await closed(two);
  await settled(() => under.calls.counts.bound === 0);
  assert.deepEqual(under.bound, [TITLE]);
});

test("connections of one address that have proven nothing are few", async () => {
  await using under = await bench({ unknownPerAddress: 2 });
  const kept = [await under.call(), await under.call()];
  await settled(() => under.calls.counts.unknown === 2);
  await closed(await under.call());
  assert.ok(kept.every((socket) => !socket.destroyed));
});

test("a line that is given up ends its connection: a late answer is nobody's", async () => {
  await using under = await bench();
  const socket = await under.call();
  await say(socket, PROOF);
  await settled(() => under.calls.isBound(TITLE));
  const line = under.calls.open(TITLE, { ...SAPS, responseTimeoutMilliseconds: 20 });
  await assert.rejects(line.exchange(fromHex("C0"), NEVER), { code: "response-timeout" });
  await closed(socket);
  await settled(() => !under.calls.isBound(TITLE));
});
