import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { fromHex, type LineSettings, type MeterFacts, toHex } from "@meterkeep/dlms";
import { type ApduServer, awaitModeE, serveHdlc } from "@meterkeep/dlms-node";
import { openBridge } from "./bridge.ts";
import { openLink } from "./opened-link.ts";

const METER: MeterFacts = { id: "standard", title: "clients of the Green Book" };

/** What `meterkeep field bridge serial:/dev/… --optical` is to the page, without a device. */
async function serveBridge(port: Duplex, settings: string[], written: string[]) {
  const bodyOf = async (request: IncomingMessage) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    return Buffer.concat(parts);
  };
  const server = createServer((request, response) => {
    const answer = async () => {
      const body = await bodyOf(request);
      if (request.url === "/lines") {
        const facts = { line: "1", address: "serial:/dev/optical", link: "hdlc", optical: true };
        response.writeHead(200, { "x-meterkeep-line": JSON.stringify(facts) }).flushHeaders();
        port.pipe(response);
        return;
      }
      if (request.url === "/lines/1/settings") settings.push((JSON.parse(body.toString()) as LineSettings).parity);
      else {
        written.push(body.toString("hex"));
        port.write(body);
      }
      response.writeHead(204).end();
    };
    answer().catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("through a bridge the page opens an optical port in mode E, and speaks HDLC on the same line, one client after the other", async () => {
  const [ours, theirs] = duplexPair();
  const settings: string[] = [];
  const written: string[] = [];
  await using bridge = await serveBridge(ours, settings, written);
  const port = { manufacturer: "MKP", identification: "m", baudRate: 9600 } as const;
  /** HDLC is over on the port: it waits for an opening again. */
  let closed = Promise.withResolvers<void>();
  const server: ApduServer<string> = {
    connect: () => "the port",
    handle: (_, apdu) => apdu,
    following: () => [],
    disconnect: () => closed.resolve(),
  };
  const opened = awaitModeE(theirs, async () => {}, port).then(() =>
    serveHdlc(theirs, { server, logicalDevices: [1] }),
  );
  const line = await openBridge(bridge.port);
  try {
    // The public client, which is asked for the counter, then the one that was lent.
    for (const clientSap of [16, 1]) {
      written.length = 0;
      const link = await openLink(line, { profile: METER, clientSap, serverSap: 1 });
      await opened;
      const { signal } = new AbortController();
      for (const apdu of ["c001", "c002", "c003"])
        assert.equal(toHex(await link.exchange(fromHex(apdu), signal)), apdu);
      await link.close();
      await closed.promise;
      closed = Promise.withResolvers();
      // HDLC is still served: it is only paused by the opening.
      void awaitModeE(theirs, async () => {}, port).then(
        () => theirs.resume(),
        () => {},
      );
      assert.equal(new Set(written).size, written.length, "nothing is sent again: no octet was lost on its way here");
    }
    assert.deepEqual(settings, ["even", "none", "even", "none"]);
  } finally {
    await line.close();
  }
});
