import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { encodeHdlc } from "../link/hdlc.ts";
import { readServerAddress, serverAddressOctets } from "./address.ts";
import { controlOctet, type HdlcControl } from "./control.ts";
import { HdlcPair, inWords, octets } from "./pair.test.ts";
import { decodeParameters, encodeParameters } from "./parameters.ts";

function connected(...given: ConstructorParameters<typeof HdlcPair>): HdlcPair {
  const pair = new HdlcPair(...given);
  pair.connect();
  pair.frames();
  return pair;
}

/** A frame from our one client to our one server, or back. */
function frame(
  control: HdlcControl,
  information?: Uint8Array,
  direction: "command" | "response" = "command",
): Uint8Array {
  const [client, server] = [fromHex("21"), fromHex("03")];
  const [destination, source] = direction === "command" ? [server, client] : [client, server];
  const fields = { destination, source, control: controlOctet(control) };
  return encodeHdlc(information === undefined ? fields : { ...fields, information });
}

test("server addresses have 1, 2 or 4 octets, and are read as they were written", () => {
  const cases = [
    [{ logicalDevice: 1 }, "03"],
    [{ logicalDevice: 1, bytes: 2 }, "0201"],
    [{ logicalDevice: 1, physicalDevice: 17 }, "0223"],
    [{ logicalDevice: 1, physicalDevice: 17, bytes: 4 }, "00020023"],
    [{ logicalDevice: 1, physicalDevice: 8212 }, "00028029"],
  ] as const;
  for (const [address, hex] of cases) {
    assert.equal(toHex(serverAddressOctets(address)), hex);
    const { logicalDevice, physicalDevice } = readServerAddress(hex);
    assert.equal(logicalDevice, address.logicalDevice);
    assert.equal(physicalDevice ?? 0, "physicalDevice" in address ? address.physicalDevice : 0);
  }
  assert.throws(() => serverAddressOctets({ logicalDevice: 0x4000 }), { code: "out-of-range" });
  assert.throws(() => serverAddressOctets({ logicalDevice: 200, bytes: 2 }), { code: "out-of-range" });
  assert.throws(() => serverAddressOctets({ logicalDevice: 1, physicalDevice: 2, bytes: 1 }), { code: "out-of-range" });
});

test("a connection is made by addresses of every length", () => {
  for (const bytes of [1, 2, 4] as const) {
    const device = bytes === 1 ? {} : { physicalDevice: 17 };
    const pair = connected({
      client: { server: { logicalDevice: 1, ...device, bytes } },
      server: { physicalDevice: 17 },
    });
    assert.deepEqual(pair.ask(octets(300)), octets(300), `${bytes} octets`);
  }
});

test("frames for another device or logical device are passed over, so that the client hears nothing", () => {
  for (const server of [{ logicalDevice: 2 }, { logicalDevice: 1, physicalDevice: 18 }]) {
    const pair = new HdlcPair({ client: { server, retries: 1 }, server: { physicalDevice: 17 } });
    pair.connect();
    assert.deepEqual(pair.frames(), ["> SNRM P", "> SNRM P"]);
    const failed = pair.seen.client.at(-1);
    assert.ok(failed?.kind === "failed" && failed.error.code === "line-silent");
  }
});

describe("parameters", () => {
  test("are the least of what each side can do", () => {
    const pair = new HdlcPair({
      client: { parameters: { maxTransmitBytes: 500, maxReceiveBytes: 1000, windowTransmit: 3, windowReceive: 5 } },
      server: { parameters: { maxTransmitBytes: 2000, maxReceiveBytes: 200, windowTransmit: 2, windowReceive: 7 } },
    });
    pair.connect();
    const agreed = { maxTransmitBytes: 200, maxReceiveBytes: 1000, windowTransmit: 3, windowReceive: 2 };
    assert.deepEqual(pair.seen.client.at(-1), { kind: "connected", parameters: agreed });
  });

  test("are the defaults where the client proposes none, and where the answer has none", () => {
    assert.deepEqual(decodeParameters(new Uint8Array(0)), decodeParameters(fromHex("818000")));
    const pair = new HdlcPair({ server: { parameters: { maxTransmitBytes: 2000 } } });
    pair.connect();
    assert.deepEqual(pair.frames(), ["> SNRM P", "< UA P +21"]);
  });

  test("are written with as many octets as they need, and read with any", () => {
    const parameters = { maxTransmitBytes: 2030, maxReceiveBytes: 128, windowTransmit: 1, windowReceive: 7 };
    assert.equal(toHex(encodeParameters(parameters)), "818013050207ee0601800704000000010804 00000007".replace(" ", ""));
    assert.deepEqual(decodeParameters(fromHex("81800f05040000 07ee 060180 070101 080107")), parameters);
    for (const bad of ["80", "8180", "81800305", "818003050100", "818005050180"])
      assert.throws(() => decodeParameters(fromHex(bad)), { name: "DecodeError" }, bad);
  });
});

describe("long APDUs", () => {
  test("go in segments both ways, one at a time with a window of 1", () => {
    const pair = connected();
    assert.deepEqual(pair.ask(octets(300)), octets(300));
    assert.deepEqual(pair.frames(), [
      ...["> I 0 0 P S +128", "< RR 1 P", "> I 1 0 P S +128", "< RR 2 P", "> I 2 0 P +47"],
      ...["< I 0 3 P S +128", "> RR 1 P", "< I 1 3 P S +128", "> RR 2 P", "< I 2 3 P +47"],
    ]);
  });

  test("go in bursts with wider windows, numbers running over", () => {
    const wide = { windowTransmit: 3, windowReceive: 3 };
    const pair = connected({ client: { parameters: wide }, server: { parameters: wide } });
    for (let count = 0; count < 5; count += 1) assert.deepEqual(pair.ask(octets(600)), octets(600));
    assert.deepEqual(pair.frames().slice(0, 9), [
      ...["> I 0 0 S +128", "> I 1 0 S +128", "> I 2 0 P S +128", "< RR 3 P", "> I 3 0 S +128", "> I 4 0 P +91"],
      ...["< I 0 5 S +128", "< I 1 5 S +128", "< I 2 5 P S +128"],
    ]);
  });

  test("beyond what is allowed end the connection on either side", () => {
    assert.equal(connected({ server: { maxApduBytes: 200 } }).ask(octets(300)), "line-rejected");
    assert.equal(connected({ client: { maxApduBytes: 200 } }).ask(octets(300)), "apdu-too-long");
  });
});

describe("a slow or busy server", () => {
  test("is polled until it answers", () => {
    const pair = connected({}, () => "later");
    pair.tell({ kind: "send", apdu: octets(5) });
    pair.carry();
    assert.deepEqual(pair.frames(), ["> I 0 0 P +8"]);
    pair.now = pair.client.deadline!;
    pair.tell({ kind: "time" });
    pair.carry();
    assert.deepEqual(pair.frames(), ["> I 0 0 P +8", "< RR 1 P"]);
    pair.tellServer({ kind: "respond", peer: pair.lastPeer!, apdus: [octets(6)] });
    assert.deepEqual(pair.frames(), []);
    pair.run(() => pair.client.isIdle);
    assert.deepEqual(pair.frames(), ["> RR 0 P", "< I 0 1 P +9"]);
  });

  test("that takes nothing is asked until it does", () => {
    const pair = connected();
    pair.tellServer({ kind: "busy", busy: true });
    pair.tell({ kind: "send", apdu: octets(5) });
    pair.carry();
    assert.deepEqual(pair.frames(), ["> I 0 0 P +8", "< RNR 0 P"]);
    pair.tellServer({ kind: "busy", busy: false });
    pair.run(() => pair.client.isIdle);
    assert.deepEqual(pair.frames(), ["> RR 0 P", "< RR 0 P", "> I 0 0 P +8", "< I 0 1 P +8"]);
  });

  test("may have nothing to answer, which the client learns by asking", () => {
    const pair = connected({}, () => []);
    pair.tell({ kind: "send", apdu: octets(5) });
    pair.carry();
    assert.deepEqual(pair.frames(), ["> I 0 0 P +8", "< RR 1 P"]);
  });

  test("may answer with several APDUs, which come in order", () => {
    const pair = connected({}, () => [octets(5), octets(200), octets(7)]);
    assert.deepEqual(pair.ask(octets(1)), octets(5));
    pair.run(() => pair.client.isIdle);
    for (const expected of [octets(200), octets(7)]) {
      pair.tell({ kind: "expect" });
      pair.run(() => pair.client.isIdle);
      const last = pair.seen.client.at(-1);
      assert.deepEqual(last?.kind === "apdu" && last.apdu, expected);
    }
  });
});

describe("recovery", () => {
  test("a request that was lost is sent again, and one that arrived is not taken twice", () => {
    const taken: number[] = [];
    const answer = (apdu: Uint8Array) => {
      taken.push(apdu.length);
      return [apdu];
    };
    // SNRM, UA, request lost; then: request, response lost, request again.
    const pair = new HdlcPair({ faults: ["none", "none", "lost", "none", "lost"] }, answer);
    pair.connect();
    assert.deepEqual(pair.ask(octets(5)), octets(5));
    assert.deepEqual(pair.frames().slice(2), [
      ...["> I 0 0 P +8", "> I 0 0 P +8", "< I 0 1 P +8", "> I 0 0 P +8", "< I 0 1 P +8"],
    ]);
    assert.deepEqual(taken, [5]);
  });

  test("a frame lost within a window has the rest of it sent again", () => {
    const wide = { windowTransmit: 3, windowReceive: 3 };
    const faults = ["none", "none", "none", "lost"] as const;
    const pair = new HdlcPair({ client: { parameters: wide }, server: { parameters: wide }, faults });
    pair.connect();
    assert.deepEqual(pair.ask(octets(300)), octets(300));
    assert.deepEqual(pair.frames().slice(2, 8), [
      ...["> I 0 0 S +128", "> I 1 0 S +128", "> I 2 0 P +47", "< RR 1 P", "> I 1 0 S +128", "> I 2 0 P +47"],
    ]);
  });

  test("an answer that was only late is not answered twice, and what follows is not doubled", () => {
    const pair = connected({}, () => "later");
    pair.tell({ kind: "send", apdu: octets(5) });
    pair.carry();
    pair.tellServer({ kind: "respond", peer: pair.lastPeer!, apdus: [octets(6)] });
    // The response is on its way when the client gives up waiting, so that both copies of the request are answered.
    pair.now = pair.client.deadline!;
    pair.tell({ kind: "time" });
    pair.carry();
    assert.deepEqual(pair.frames(), ["> I 0 0 P +8", "< I 0 1 P +9", "> I 0 0 P +8", "< I 0 1 P +9"]);
    pair.tell({ kind: "send", apdu: octets(7) });
    pair.tell({
      kind: "octets",
      octets: frame({ kind: "I", sendNumber: 0, receiveNumber: 1, pollFinal: true }, octets(9), "response"),
    });
    pair.carry();
    pair.tellServer({ kind: "respond", peer: pair.lastPeer!, apdus: [octets(8)] });
    pair.carry();
    assert.deepEqual(pair.frames(), ["> I 1 1 P +10", "< I 1 2 P +11"]);
    assert.ok(pair.client.isIdle);
  });

  test("half a frame is forgotten in silence, so that the next one is found at once", () => {
    const pair = new HdlcPair();
    const cut = encodeHdlc({
      destination: fromHex("03"),
      source: fromHex("21"),
      control: 0x10,
      information: octets(90),
    });
    assert.deepEqual(pair.server.step({ kind: "octets", octets: cut.subarray(0, 20) }, 0), []);
    assert.equal(pair.server.deadline, 1000);
    pair.server.step({ kind: "time" }, 1000);
    assert.equal(pair.server.deadline, undefined);
    pair.now = 1000;
    pair.connect();
    assert.deepEqual(pair.frames(), ["> SNRM P", "< UA P +21"]);
    pair.tell({ kind: "send", apdu: octets(1) });
    pair.tell({ kind: "octets", octets: cut.subarray(0, 20) });
    assert.equal(pair.client.deadline, 2000);
    pair.now = 2000;
    pair.tell({ kind: "time" });
    assert.equal(pair.client.damagedFrames, 1);
    pair.run(() => pair.client.isIdle);
    assert.ok(pair.client.isIdle);
  });

  test("silence ends it after the retries, and says how long was waited", () => {
    const deaf = new HdlcPair({
      client: { retries: 2, frameTimeoutMilliseconds: 700 },
      server: { logicalDevices: [9] },
    });
    deaf.connect();
    assert.deepEqual(deaf.frames(), ["> SNRM P", "> SNRM P", "> SNRM P"]);
    assert.equal(deaf.now, 2100);
    const failed = deaf.seen.client.at(-1);
    assert.ok(failed?.kind === "failed");
    assert.match(failed.error.message, /700 ms, asked 3 times/);
  });
});

describe("the end", () => {
  test("is confirmed, and whoever goes on is told that nobody is connected", () => {
    const pair = connected();
    pair.tell({ kind: "disconnect" });
    pair.carry();
    assert.deepEqual(pair.frames(), ["> DISC P", "< UA P"]);
    assert.deepEqual(pair.seen.client.at(-1), { kind: "disconnected" });
    const last = pair.seen.server.at(-1);
    assert.ok(last?.kind === "disconnected" && last.reason === "disc");
    assert.throws(() => pair.tell({ kind: "send", apdu: octets(1) }), { code: "line-misused" });
    const [refused] = pair.server.step({ kind: "octets", octets: frame({ kind: "DISC", pollFinal: true }) }, 0);
    assert.ok(refused?.kind === "transmit" && inWords(refused.octets) === "DM P");
  });

  test("is asked for twice at most where nobody answers", () => {
    const pair = new HdlcPair({ faults: ["none", "none", "lost", "lost"] });
    pair.connect();
    pair.frames();
    pair.tell({ kind: "disconnect" });
    pair.run(() => false);
    assert.deepEqual(pair.frames(), ["> DISC P", "> DISC P"]);
    assert.deepEqual(pair.seen.client.at(-1), { kind: "disconnected" });
  });

  test("comes by itself in silence, and the next request learns of it", () => {
    const pair = connected({ server: { inactivityTimeoutMilliseconds: 60_000 } });
    pair.now = pair.server.deadline!;
    assert.equal(pair.now, 60_000);
    pair.tellServer({ kind: "time" });
    assert.equal(pair.ask(octets(3)), "line-closed");
  });

  test("does not come while the client keeps it alive", () => {
    const pair = connected({
      client: { keepAliveMilliseconds: 20_000 },
      server: { inactivityTimeoutMilliseconds: 60_000 },
    });
    for (let count = 0; count < 5; count += 1) {
      pair.now = pair.client.deadline!;
      pair.tell({ kind: "time" });
      pair.carry();
    }
    assert.deepEqual(pair.frames().slice(0, 2), ["> RR 0 P", "< RR 0 P"]);
    assert.ok(pair.now < pair.server.deadline!);
    assert.deepEqual(pair.ask(octets(3)), octets(3));
  });

  test("comes with a new SNRM, and an answer to the old connection is dropped", () => {
    const pair = connected({}, () => "later");
    pair.tell({ kind: "send", apdu: octets(5) });
    pair.carry();
    const old = pair.lastPeer!;
    pair.connect();
    pair.tellServer({ kind: "respond", peer: old, apdus: [octets(9)] });
    pair.tell({ kind: "send", apdu: octets(6) });
    pair.carry();
    pair.tellServer({ kind: "respond", peer: old, apdus: [octets(9)] });
    pair.tellServer({ kind: "respond", peer: pair.lastPeer!, apdus: [octets(7)] });
    pair.carry();
    const last = pair.seen.client.at(-1);
    assert.deepEqual(last?.kind === "apdu" && last.apdu, octets(7));
  });

  test("a client beyond the limit is refused", () => {
    const pair = new HdlcPair({ server: { maxConnections: 0 } });
    pair.connect();
    const failed = pair.seen.client.at(-1);
    assert.ok(failed?.kind === "failed" && failed.error.code === "line-refused");
  });
});

describe("impossible frames are rejected with their reason until the client connects anew", () => {
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ["an unknown command", encodeHdlc({ destination: fromHex("03"), source: fromHex("21"), control: 0xef }), "ef0001"],
    [
      "too much information",
      frame({ kind: "I", sendNumber: 0, receiveNumber: 0, pollFinal: true }, octets(129)),
      "100004",
    ],
    ["a wrong N(R)", frame({ kind: "RR", receiveNumber: 3, pollFinal: true }), "710008"],
    ["information in RR", frame({ kind: "RR", receiveNumber: 0, pollFinal: true }, octets(2)), "110002"],
  ];
  for (const [what, bad, information] of cases)
    test(what, () => {
      const pair = connected();
      const said = pair.server.step({ kind: "octets", octets: bad }, 0);
      const [ended, answer] = said;
      assert.ok(ended?.kind === "disconnected" && ended.reason === "frame-reject");
      assert.ok(answer?.kind === "transmit");
      assert.equal(toHex(answer.octets).slice(16, 22), information);
      assert.equal(pair.ask(octets(4)), "line-rejected");
      pair.connect();
      assert.deepEqual(pair.ask(octets(4)), octets(4));
    });

  test("a response without LLC header ends the connection, unless the meter is known for it", () => {
    for (const omitsLlc of [false, true]) {
      const pair = connected({ client: { quirks: { omitsLlc } } });
      pair.tell({ kind: "send", apdu: octets(4) });
      const bare = frame(
        { kind: "I", sendNumber: 0, receiveNumber: 1, pollFinal: true },
        fromHex("d80202"),
        "response",
      );
      pair.tell({ kind: "octets", octets: bare });
      const last = pair.seen.client.at(-1);
      if (omitsLlc) assert.deepEqual(last, { kind: "apdu", apdu: fromHex("d80202") });
      else assert.ok(last?.kind === "failed" && last.error.code === "line-rejected");
    }
  });

  test("and the client names it", () => {
    const pair = connected();
    pair.tell({ kind: "send", apdu: octets(4) });
    pair.tell({ kind: "octets", octets: frame({ kind: "FRMR", pollFinal: true }, fromHex("100004"), "response") });
    const failed = pair.seen.client.at(-1);
    assert.ok(failed?.kind === "failed");
    assert.match(failed.error.message, /control 10: information-too-long/);
  });
});

describe("what goes outside a connection", () => {
  test("a push reaches the client in segments, and does not disturb an answer", () => {
    const pair = connected({}, () => "later");
    pair.tell({ kind: "send", apdu: octets(4) });
    pair.carry();
    pair.frames();
    pair.tellServer({ kind: "notify", peer: pair.lastPeer!, apdu: octets(200, 1) });
    pair.tellServer({ kind: "respond", peer: pair.lastPeer!, apdus: [octets(5)] });
    pair.carry();
    assert.deepEqual(pair.frames(), ["< UI S +128", "< UI +75", "< I 0 1 P +8"]);
    assert.deepEqual(
      pair.seen.client.slice(-2).map((action) => action.kind),
      ["notification", "apdu"],
    );
  });

  test("a push waits for the turn while a client has the line, and goes at once otherwise", () => {
    const pair = connected();
    const peer = { clientAddress: 16, logicalDevice: 1 };
    pair.tellServer({ kind: "notify", peer, apdu: octets(3) });
    assert.deepEqual(pair.frames(), []);
    assert.deepEqual(pair.ask(octets(4)), octets(4));
    assert.deepEqual(pair.frames(), ["> I 0 0 P +7", "< UI +6", "< I 0 1 P +7"]);
    const alone = new HdlcPair();
    alone.tellServer({ kind: "notify", peer, apdu: octets(3) });
    assert.deepEqual(alone.frames(), ["< UI +6"]);
  });

  test("a broadcast reaches every station, and nobody answers", () => {
    for (const bytes of [1, 2, 4] as const) {
      const pair = new HdlcPair({ client: { server: { logicalDevice: 1, bytes } }, server: { physicalDevice: 17 } });
      pair.tell({ kind: "datagram", apdu: octets(200), broadcast: true });
      pair.carry();
      const heard = pair.seen.server.at(-1);
      assert.ok(heard?.kind === "datagram" && heard.broadcast);
      assert.deepEqual(heard.apdu, octets(200));
      assert.ok(pair.frames().every((one) => one.startsWith(">")));
    }
    const pair = new HdlcPair();
    const snrm = { destination: fromHex("ff"), source: fromHex("21"), control: 0x93 };
    assert.deepEqual(pair.server.step({ kind: "octets", octets: encodeHdlc(snrm) }, 0), []);
  });
});

test("two clients are served side by side, each with its own numbers", () => {
  const first = connected();
  const second = new HdlcPair({ client: { clientAddress: 1 } });
  const carryTo = (event: Parameters<HdlcPair["client"]["step"]>[0]): string[] => {
    const said: string[] = [];
    let travelling = second.client
      .step(event, 0)
      .flatMap((action) => (action.kind === "transmit" ? [action.octets] : []));
    while (travelling.length > 0) {
      const back: Uint8Array[] = [];
      for (const one of travelling)
        for (const action of first.server.step({ kind: "octets", octets: one }, 0)) {
          if (action.kind === "transmit") back.push(action.octets);
          if (action.kind !== "apdu") continue;
          for (const answer of first.server.step({ kind: "respond", peer: action.peer, apdus: [action.apdu] }, 0))
            if (answer.kind === "transmit") back.push(answer.octets);
        }
      said.push(...back.map(inWords));
      travelling = back.flatMap((one) =>
        second.client
          .step({ kind: "octets", octets: one }, 0)
          .flatMap((action) => (action.kind === "transmit" ? [action.octets] : [])),
      );
    }
    return said;
  };
  assert.deepEqual(first.ask(octets(3)), octets(3));
  assert.deepEqual(carryTo({ kind: "connect" }), ["UA P +21"]);
  assert.deepEqual(carryTo({ kind: "send", apdu: octets(2) }), ["I 0 1 P +5"]);
  assert.deepEqual(first.ask(octets(4)), octets(4));
});
