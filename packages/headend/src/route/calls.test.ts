import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { encodeWrapper, fromHex, toHex } from "@meterkeep/dlms";
import { onOctets, WrapperFrames } from "@meterkeep/dlms-node";
import { CALL_LIMITS, type CallCertificate, type CallLimits, Calls } from "./calls.ts";
import { NETWORKS, type NetworkFacts } from "./networks.ts";

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
  readonly claimed: string[];
  call(): Promise<Socket>;
}

async function bench(
  limits: Partial<CallLimits> = {},
  certificate?: () => CallCertificate,
  network: Pick<NetworkFacts, "keepAliveSeconds" | "idleSeconds"> = NETWORKS.cellular,
): Promise<Bench> {
  const [bound, wanted, claimed]: string[][] = [[], [], []];
  const calls = new Calls(
    {
      take: ({ apdu, authenticated }) => {
        if (apdu[0] === 0x0f) authenticated(toHex(apdu.subarray(1)).toUpperCase());
      },
      onClaimed: (title) => claimed!.push(title),
      onBound: (title) => bound!.push(title),
      onWanted: (title) => wanted!.push(title),
      networkOf: () => network,
    },
    { ...CALL_LIMITS, ...limits },
  );
  const server: Server = createServer((socket) => calls.accept(socket, certificate?.())).listen(0, "127.0.0.1");
  await once(server, "listening");
  const sockets: Socket[] = [];
  return {
    calls,
    bound: bound!,
    wanted: wanted!,
    claimed: claimed!,
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
  assert.deepEqual(under.calls.counts, { bound: 1, claimed: 0, unknown: 0 });
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
  assert.deepEqual(under.calls.counts, { bound: 1, claimed: 0, unknown: 0 });
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

test("idleSeconds: the connection of a meter that is silent for longer than its network allows counts as dead", async () => {
  await using under = await bench({}, undefined, { keepAliveSeconds: 110, idleSeconds: 0.05 });
  const socket = await under.call();
  await say(socket, PROOF);
  await settled(() => under.bound.length === 1);
  await closed(socket);
  assert.deepEqual(under.calls.counts, { bound: 0, claimed: 0, unknown: 0 });
});

test("keepAliveSeconds: a connection is probed as its meter's network wants it, from when it is known whose it is", async () => {
  const probes: number[] = [];
  await using under = await bench({}, undefined, { keepAliveSeconds: 900, idleSeconds: 3_600 });
  const [near, far] = duplexPair() as [Duplex, Duplex];
  const socket = Object.assign(near, {
    setKeepAlive: (_: boolean, milliseconds: number) => probes.push(milliseconds),
    setTimeout: () => undefined,
    remoteAddress: "192.0.2.1",
  }) as unknown as Socket;
  under.calls.accept(socket);
  assert.deepEqual(probes, []);
  far.write(encodeWrapper(1, 1, PROOF));
  await settled(() => under.bound.length === 1);
  assert.deepEqual(probes, [900_000]);
});

const certified = (title = TITLE, stands: CallCertificate["stands"] = async () => true) => ({ title, stands });

test("a certificate is a claim: a session may be tried over it, and its first authenticated answer binds", async () => {
  await using under = await bench({}, certified);
  const socket = await under.call();
  echo(socket);
  await settled(() => under.claimed.length === 1);
  assert.deepEqual(under.calls.counts, { bound: 0, claimed: 1, unknown: 0 });
  const line = under.calls.open(TITLE, SAPS);
  await line.exchange(fromHex("C0"), NEVER);
  assert.deepEqual(under.bound, [], "an answer alone proves nothing");
  line.proven?.();
  assert.deepEqual(under.bound, [TITLE]);
  await line[Symbol.asyncDispose]();
  assert.deepEqual(under.calls.counts, { bound: 1, claimed: 0, unknown: 0 });
});

test("who has a meter's certificate and not its keys is tried once beside the meter's own connection, and ends nothing", async () => {
  const certificates = [certified(), certified()];
  await using under = await bench({}, () => certificates.pop() as CallCertificate);
  const own = await under.call();
  echo(own);
  await settled(() => under.claimed.length === 1);
  under.calls.open(TITLE, SAPS).proven?.();
  const thief = await under.call();
  echo(thief);
  await settled(() => under.claimed.length === 2);
  await under.calls.open(TITLE, { ...SAPS, clientSap: 2 })[Symbol.asyncDispose]();
  await closed(thief);
  assert.equal(own.destroyed, false);
  assert.deepEqual(under.calls.counts, { bound: 1, claimed: 0, unknown: 0 });
});

test("a connection is never bound to another meter than its certificate names", async () => {
  await using under = await bench({}, () => certified("4D4B560000000009"));
  const socket = await under.call();
  await settled(() => under.claimed.length === 1);
  await say(socket, PROOF);
  await closed(socket);
  assert.deepEqual(under.bound, []);
});

test("a certificate that does not stand, or that nobody can vouch for, is turned away; one that stands no more is, too", async () => {
  const answers: (() => Promise<boolean>)[] = [
    async () => false,
    () => Promise.reject(new Error("the registry is away")),
  ];
  let standsStill = true;
  await using under = await bench({ checkSeconds: 0.02 }, () =>
    certified(TITLE, answers.shift() ?? (async () => standsStill)),
  );
  for (let n = 0; n < 2; n += 1) await closed(await under.call());
  assert.deepEqual(under.claimed, []);
  const socket = await under.call();
  await settled(() => under.claimed.length === 1);
  under.calls.open(TITLE, SAPS).proven?.();
  standsStill = false;
  await closed(socket);
});

test("who has a certificate and proves nothing is turned away in the end, and his certificate counts him once", async () => {
  await using under = await bench({ proveSeconds: 0.05, unknownPerAddress: 1 }, certified);
  const first = await under.call();
  await settled(() => under.claimed.length === 1);
  const second = await under.call();
  await settled(() => under.claimed.length === 2);
  await closed(first);
  await closed(second);
  assert.deepEqual(under.calls.counts, { bound: 0, claimed: 0, unknown: 0 });
});
