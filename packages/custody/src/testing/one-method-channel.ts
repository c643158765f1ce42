import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { CUSTODIAN_METHODS, frame } from "@meterkeep/api/custodian";
import { encode } from "@meterkeep/dlms";
import { listenOnChannel } from "../channel/server.ts";
import type { CustodianService } from "../service/service.ts";
import { testCredential } from "./test-credential.ts";

/** A channel whose service answers `shipmentMeters` and nothing else, and a bare connection of a head-end to it. */
export async function withOneMethodChannel(
  shipmentMeters: () => ReturnType<CustodianService["shipmentMeters"]>,
  onFailure: (error: unknown) => void,
  body: (asking: TLSSocket) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mk-"));
  const [custodian, headEnd] = [testCredential("custodian"), testCredential("head-end")];
  const server = await listenOnChannel({
    socketPath: join(folder, "channel.sock"),
    ...custodian,
    principals: [{ name: "head-end", role: "head-end", certificate: headEnd.certificate }],
    service: { shipmentMeters } as unknown as CustodianService,
    bursts: { record: () => Promise.reject(new Error("nothing is written here")) } as never,
    now: () => 0,
    onFailure,
  });
  const socket = connect({
    path: join(folder, "channel.sock"),
    cert: headEnd.certificate,
    key: headEnd.privateKey,
    ca: [custodian.certificate],
    checkServerIdentity: () => undefined,
  });
  try {
    await body(socket);
  } finally {
    socket.destroy();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The call of that method in a frame, as it goes over the connection. */
export function shipmentMetersCall(correlation: number): Buffer {
  const { number, request } = CUSTODIAN_METHODS.shipmentMeters;
  const payload = encode(request, { utility: "a", island: "b", shipment: "c", from: 0 });
  const octets = encode(frame, { kind: "request", correlation, method: number, payload });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(octets.length);
  return Buffer.concat([length, octets]);
}
