import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../bytes.ts";
import { LossyLine, lineFaults } from "../testing/lossy-line.test.ts";
import { DatagramClient } from "./datagram-client.ts";
import { DatagramServer, type DatagramServerAction } from "./datagram-server.ts";
import { encodeWrapper, readWrapperDatagram } from "./wrapper.ts";

test("a datagram is exactly one frame", () => {
  const frame = encodeWrapper(1, 16, fromHex("c001"));
  assert.deepEqual(readWrapperDatagram(frame), { source: 1, destination: 16, apdu: fromHex("c001") });
  const bad = [
    "",
    "0001000100100002c0",
    "0001000100100002c00100",
    "0002000100100002c001",
    "0001000100100000",
    "000100",
  ];
  for (const hex of bad) assert.equal(readWrapperDatagram(fromHex(hex)), undefined, hex);
});

function answersTo(
  server: DatagramServer,
  actions: readonly DatagramServerAction[],
  now: number,
  answer: Uint8Array,
): Uint8Array[] {
  return actions.flatMap((action) => {
    if (action.kind === "transmit") return [action.octets];
    return action.kind === "apdu"
      ? answersTo(server, server.step({ kind: "respond", peer: action.peer, apdus: [answer] }, now), now, answer)
      : [];
  });
}

test("datagrams from other service access points, or for others, are dropped on either side", () => {
  const client = new DatagramClient({ clientSap: 16, serverSap: 1 });
  client.step({ kind: "send", apdu: fromHex("c0") }, 0);
  for (const [source, destination] of [
    [2, 16],
    [1, 17],
  ] as const)
    assert.deepEqual(
      client.step({ kind: "datagram", octets: encodeWrapper(source, destination, fromHex("c4")) }, 0),
      [],
    );
  const server = new DatagramServer({ serverSaps: [1], maxApduBytes: 2 });
  const take = (octets: Uint8Array) => server.step({ kind: "datagram", from: "a", octets }, 0);
  assert.deepEqual(take(encodeWrapper(16, 2, fromHex("c0"))), []);
  assert.deepEqual(take(encodeWrapper(16, 1, fromHex("c00102"))), []);
  assert.equal(take(encodeWrapper(16, 1, fromHex("c001"))).length, 2);
});

test("a request without answer is sent again as it was, and in the end the client says so", () => {
  const client = new DatagramClient({ clientSap: 16, serverSap: 1, retryMilliseconds: 100, retries: 2 });
  const [sent] = client.step({ kind: "send", apdu: fromHex("c001") }, 0);
  for (const now of [100, 200]) assert.deepEqual(client.step({ kind: "time" }, now), [sent]);
  const [failed] = client.step({ kind: "time" }, 300);
  assert.ok(failed?.kind === "failed" && failed.error.code === "line-silent");
  assert.equal(client.deadline, undefined);
});

test("a repeated request gets its answer again and is not served again; a silent client is forgotten", () => {
  const server = new DatagramServer({ idleMilliseconds: 1000, maxClients: 2 });
  const ask = (from: string, hex: string, now: number) =>
    server.step({ kind: "datagram", from, octets: encodeWrapper(16, 1, fromHex(hex)) }, now);
  const first = ask("a", "c001", 0);
  assert.deepEqual(
    first.map(({ kind }) => kind),
    ["connected", "apdu"],
  );
  const [answer] = answersTo(server, first, 0, fromHex("c4"));
  assert.deepEqual(
    ask("a", "c001", 10).map((action) => action.kind === "transmit" && toHex(action.octets)),
    [toHex(answer!)],
  );
  assert.deepEqual(
    ask("a", "c002", 20).map(({ kind }) => kind),
    ["apdu"],
  );
  assert.deepEqual(
    ask("b", "c001", 30).map(({ kind }) => kind),
    ["connected", "apdu"],
  );
  assert.deepEqual(
    ask("c", "c001", 40).map((action) => (action.kind === "forgotten" ? action.peer.from : action.kind)),
    ["a", "connected", "apdu"],
  );
  assert.equal(server.deadline, 1030);
  assert.deepEqual(
    server.step({ kind: "time" }, 1030).map(({ kind }) => kind),
    ["forgotten"],
  );
});

test("over a line that loses, repeats and reorders datagrams, each request is served once and gets its own answer", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), lineFaults(["lost", "twice", "late"], 40), (requests, faults) => {
      const line = new LossyLine<"client" | "server">(faults);
      const client = new DatagramClient({ clientSap: 16, serverSap: 1, retryMilliseconds: 100, retries: 50 });
      const server = new DatagramServer();
      const served: number[] = [];
      let now = 0;
      for (let request = 1; request <= requests; request += 1) {
        let answer: Uint8Array | undefined;
        for (const action of client.step({ kind: "send", apdu: Uint8Array.of(0xc0, request) }, now))
          if (action.kind === "transmit") line.send("server", action.octets);
        for (let turn = 0; turn < 500 && answer?.[1] !== request; turn += 1) {
          const datagram = line.next();
          if (datagram === undefined) {
            now += 100;
            for (const action of client.step({ kind: "time" }, now))
              if (action.kind === "transmit") line.send("server", action.octets);
          } else if (datagram.to === "server") {
            for (const action of server.step({ kind: "datagram", from: "a", octets: datagram.octets }, now)) {
              if (action.kind === "transmit") line.send("client", action.octets);
              if (action.kind !== "apdu") continue;
              served.push(action.apdu[1]!);
              for (const reply of server.step(
                { kind: "respond", peer: action.peer, apdus: [Uint8Array.of(0xc4, action.apdu[1]!)] },
                now,
              ))
                if (reply.kind === "transmit") line.send("client", reply.octets);
            }
          } else
            for (const action of client.step({ kind: "datagram", octets: datagram.octets }, now))
              if (action.kind === "apdu") answer = action.apdu;
        }
        assert.equal(answer?.[1], request);
      }
      const isOld = (at: number) => served.slice(0, at).includes(served[at]!);
      assert.deepEqual(
        served.filter((_, at) => !isOld(at)),
        Array.from({ length: requests }, (_, at) => at + 1),
      );
    }),
    {
      numRuns: 200,
      // An answer that overtakes the next request's, whose own answer is lost.
      examples: [[4, ["none", "none", "twice", "none", "late", "none", "none", "lost"]]],
    },
  );
});
