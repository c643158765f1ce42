import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { fromHex, type LineSettings, toHex } from "@meterkeep/dlms";
import { echoServer } from "./hdlc.test.ts";
import { HdlcConnection } from "./hdlc-client.ts";
import { connectHdlcSerial } from "./hdlc-serial.ts";
import { serveHdlc } from "./hdlc-server.ts";
import { connectMbus, MbusConnection } from "./mbus-client.ts";
import { serveMbus } from "./mbus-server.ts";
import { awaitModeE, openModeE } from "./mode-e-opening.ts";
import { listenTcp } from "./tcp-listener.ts";

const never = new AbortController().signal;

test("an optical port is opened in mode E, and HDLC follows on the same line", async () => {
  const [ours, theirs] = duplexPair();
  const lines: string[] = [];
  const setLine = (side: string) => async (settings: LineSettings) => {
    await Promise.resolve();
    lines.push(`${side} ${settings.baudRate} ${settings.dataBits}${settings.parity[0]}`);
  };
  const meter = awaitModeE(theirs, setLine("meter"), { manufacturer: "MKP", identification: "m", baudRate: 4800 });
  const [{ identification, baudRate }] = await Promise.all([openModeE(ours, setLine("reader")), meter]);
  assert.deepEqual([identification.manufacturer, baudRate], ["MKP", 4800]);
  assert.deepEqual(lines.sort(), ["meter 300 7e", "meter 4800 8n", "reader 300 7e", "reader 4800 8n"]);

  serveHdlc(theirs, { server: echoServer(), logicalDevices: [1] });
  await using connection = new HdlcConnection(ours, { clientAddress: 16, server: { logicalDevice: 1 } }, "the port");
  await connection.open();
  assert.equal(toHex(await connection.exchange(fromHex("c001"), never)), "c001");
});

test("opening a port can be cancelled, and ends when the line does", async () => {
  const [ours, theirs] = duplexPair();
  const controller = new AbortController();
  const opening = openModeE(ours, () => {}, {}, controller.signal);
  controller.abort();
  await assert.rejects(opening, { code: "exchange-aborted" });
  const other = awaitModeE(theirs, () => {}, { manufacturer: "MKP", identification: "m" });
  theirs.destroy();
  await assert.rejects(other, { code: "connection-closed" });
  await assert.rejects(
    openModeE(duplexPair()[0], () => Promise.reject(new Error("no such line"))),
    /no such line/,
  );
  const target = { path: import.meta.filename, clientAddress: 16, server: { logicalDevice: 1 }, modeE: {} };
  await assert.rejects(connectHdlcSerial(target), { code: "connection-failed" });
});

test("a bus behind a TCP converter is reached", async () => {
  await using listener = await listenTcp({}, (socket) =>
    serveMbus(socket, { server: echoServer(), address: 5, serverSaps: [1] }),
  );
  const { host, port } = listener;
  await using connection = await connectMbus({ host, port, address: 5, clientSap: 16, serverSap: 1 });
  assert.equal(toHex(await connection.exchange(fromHex("c001"), never)), "c001");
});

test("APDUs of up to 4 000 octets go over a wired M-Bus, and silence and an end are told apart", async () => {
  const [ours, theirs] = duplexPair();
  const events: string[] = [];
  serveMbus(theirs, { server: echoServer(events), address: 5, serverSaps: [1] });
  const settings = {
    address: 5,
    clientSap: 16,
    serverSap: 1,
    pollIntervalMilliseconds: 5,
    responseTimeoutMilliseconds: 40,
  };
  await using connection = new MbusConnection(ours, settings, "the bus");
  await connection.open();
  for (const length of [1, 300, 4000]) {
    const apdu = new Uint8Array(length).fill(0xc0);
    assert.equal((await connection.exchange(apdu, never)).length, length);
  }
  assert.equal(toHex(await connection.exchange(fromHex("01"), never)), "e001");
  assert.equal(toHex((await connection.line.receive(never)) ?? fromHex("")), "e002");
  assert.equal(toHex((await connection.line.receive(never)) ?? fromHex("")), "e003");
  await connection.line.send(fromHex("00"));
  assert.equal(await connection.line.receive(never), undefined);
  assert.equal(toHex(await connection.exchange(fromHex("c002"), never)), "c002");
  theirs.destroy();
  ours.destroy();
  await assert.rejects(connection.exchange(fromHex("c003"), never), { code: "connection-closed" });
  const [alone] = duplexPair();
  const silent = new MbusConnection(alone, { ...settings, frameTimeoutMilliseconds: 5, retries: 1 }, "nobody");
  await assert.rejects(silent.open(), { code: "line-silent" });
});
