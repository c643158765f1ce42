import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { encodeWrapper, fromHex, toHex } from "@meterkeep/dlms";
import { echoServer } from "./hdlc.test.ts";
import { connectWrapperUdp } from "./udp-client.ts";
import { listenWrapperUdp } from "./udp-server.ts";

const never = new AbortController().signal;
const SAPS = { clientSap: 16, serverSap: 1 };

test("APDUs go over UDP, one to a datagram, several in a row where the answer has several", async () => {
  const events: string[] = [];
  {
    await using listener = await listenWrapperUdp({ server: echoServer(events) });
    const { host, port } = listener;
    await using connection = await connectWrapperUdp({ host, port, ...SAPS, responseTimeoutMilliseconds: 60 });
    assert.equal(toHex(await connection.exchange(fromHex("c001"), never)), "c001");
    assert.equal(toHex(await connection.exchange(fromHex("01"), never)), "e001");
    assert.equal(toHex((await connection.line.receive(never)) ?? fromHex("")), "e002");
    assert.equal(toHex((await connection.line.receive(never)) ?? fromHex("")), "e003");
    assert.equal(await connection.line.receive(never), undefined);
  }
  assert.deepEqual(events, ["echo connect 16 1", "echo c001", "echo 01", "echo disconnect 16 1"]);
});

test("a request is repeated until it is answered, and served once", async () => {
  const events: string[] = [];
  let withheld = 1;
  await using listener = await listenWrapperUdp({
    server: echoServer(events),
    // The first answer is only sent when it is asked for again.
    transmit: (apdu, line) => {
      if (withheld-- > 0) setTimeout(() => line.send(apdu), 30);
      else line.send(apdu);
    },
  });
  const { host, port } = listener;
  await using connection = await connectWrapperUdp({ host, port, ...SAPS, retryMilliseconds: 5, retries: 100 });
  assert.equal(toHex(await connection.exchange(fromHex("c001"), never)), "c001");
  assert.equal(toHex(await connection.exchange(fromHex("c002"), never)), "c002");
  assert.deepEqual(events, ["echo connect 16 1", "echo c001", "echo c002"]);
});

test("silence, cancellation and a busy connection are told apart", async () => {
  await using listener = await listenWrapperUdp({ server: echoServer(), transmit: () => {} });
  const { host, port } = listener;
  await using silent = await connectWrapperUdp({ host, port, ...SAPS, retryMilliseconds: 5, retries: 1 });
  await assert.rejects(silent.exchange(fromHex("c001"), never), { code: "line-silent" });
  const controller = new AbortController();
  await using cancelled = await connectWrapperUdp({ host, port, ...SAPS });
  const waiting = cancelled.exchange(fromHex("c001"), controller.signal);
  await assert.rejects(cancelled.exchange(fromHex("c001"), never), { code: "exchange-busy" });
  controller.abort();
  await assert.rejects(waiting, { code: "exchange-aborted" });
  await assert.rejects(connectWrapperUdp({ host, port, ...SAPS, signal: controller.signal }), {
    code: "exchange-aborted",
  });
});

test("datagrams that are no wrapper, or come from elsewhere, change nothing", async () => {
  await using listener = await listenWrapperUdp({ server: echoServer(), serverSaps: [1] });
  const { host, port } = listener;
  const stranger = createSocket("udp4");
  for (const octets of [fromHex("7ea0"), encodeWrapper(16, 9, fromHex("c0")), fromHex("000100100001000fc0")])
    await new Promise<void>((resolve) => stranger.send(octets, port, host, () => resolve()));
  await using connection = await connectWrapperUdp({ host, port, ...SAPS });
  assert.equal(toHex(await connection.exchange(fromHex("c001"), never)), "c001");
  await new Promise<void>((resolve) => stranger.close(() => resolve()));
  await assert.rejects(listenWrapperUdp({ server: echoServer(), port }), { code: "listen-failed" });
});
