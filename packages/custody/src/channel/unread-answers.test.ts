import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { CUSTODIAN_METHODS, frame } from "@meterkeep/api/custodian";
import { FrameCutter } from "@meterkeep/api/custodian-channel";
import { encode } from "@meterkeep/dlms";
import type { CustodianService } from "../service/service.ts";
import { testCredential } from "../testing/test-credential.ts";
import { listenOnChannel } from "./server.ts";

const REQUESTS = 1_000;

const METERS = Array.from({ length: 100 }, () => ({
  systemTitle: new Uint8Array(8),
  logicalDeviceName: "x".repeat(200),
  serialNumber: "x".repeat(200),
  model: "",
  hardwareRevision: "",
  firmware: "",
  profile: "",
  securitySuite: 0,
  manufacturer: { flag: "", name: "" },
  holders: [],
}));

function requests(): Buffer {
  const { number, request } = CUSTODIAN_METHODS.shipmentMeters;
  const payload = encode(request, { utility: "a", island: "b", shipment: "c", from: 0 });
  const frames = Array.from({ length: REQUESTS }, (_, correlation) => {
    const octets = encode(frame, { kind: "request", correlation, method: number, payload });
    const length = Buffer.alloc(4);
    length.writeUInt32BE(octets.length);
    return Buffer.concat([length, octets]);
  });
  return Buffer.concat(frames);
}

test("a caller that asks and does not read is answered no further, until it reads: then all of it is answered", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mk-"));
  const [custodian, headEnd] = [testCredential("custodian"), testCredential("head-end")];
  let begun = 0;
  const service = {
    shipmentMeters: async () => {
      begun += 1;
      return { meters: METERS };
    },
  } as unknown as CustodianService;
  const server = await listenOnChannel({
    socketPath: join(folder, "channel.sock"),
    ...custodian,
    principals: [{ name: "head-end", role: "head-end", certificate: headEnd.certificate }],
    service,
    bursts: { record: () => Promise.reject(new Error("nothing is written here")) } as never,
    now: () => 0,
    onFailure: (error) => assert.fail(String(error)),
  });
  const socket = connect({
    path: join(folder, "channel.sock"),
    cert: headEnd.certificate,
    key: headEnd.privateKey,
    ca: [custodian.certificate],
    checkServerIdentity: () => undefined,
  });
  try {
    socket.pause();
    socket.write(requests());
    for (let before = -1; begun === 0 || before !== begun; await sleep(50)) before = begun;
    assert.ok(begun < REQUESTS, `${begun} of ${REQUESTS} were begun for a caller that reads nothing`);
    const cutter = new FrameCutter();
    let answered = 0;
    for await (const chunk of socket) {
      answered += cutter.push(chunk as Buffer).length;
      if (answered === REQUESTS) break;
    }
    assert.deepEqual([answered, begun], [REQUESTS, REQUESTS]);
  } finally {
    socket.destroy();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
