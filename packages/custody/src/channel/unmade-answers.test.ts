import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { CUSTODIAN_METHODS, callError, frame } from "@meterkeep/api/custodian";
import { FrameCutter } from "@meterkeep/api/custodian-channel";
import { decode, encode } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { CustodianService } from "../service/service.ts";
import { testCredential } from "../testing/test-credential.ts";
import { listenOnChannel } from "./server.ts";

function request(): Buffer {
  const { number, request } = CUSTODIAN_METHODS.shipmentMeters;
  const payload = encode(request, { utility: "a", island: "b", shipment: "c", from: 0 });
  const octets = encode(frame, { kind: "request", correlation: 7, method: number, payload });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(octets.length);
  return Buffer.concat([length, octets]);
}

/** A channel whose one method fails so, and a connection to it. */
async function withChannel(
  refuse: () => never,
  onFailure: (error: unknown) => void,
  body: (asking: ReturnType<typeof connect>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mk-"));
  const [custodian, headEnd] = [testCredential("custodian"), testCredential("head-end")];
  const server = await listenOnChannel({
    socketPath: join(folder, "channel.sock"),
    ...custodian,
    principals: [{ name: "head-end", role: "head-end", certificate: headEnd.certificate }],
    service: { shipmentMeters: async () => refuse() } as unknown as CustodianService,
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

test("a refusal that is too long for its frame is told as far as there is room, in whole characters", async () => {
  for (const [message, told] of [
    ["漢".repeat(600), "漢".repeat(341)],
    ["a".repeat(2000), "a".repeat(1024)],
    [`half \ud83d of one`, "half \ufffd of one"],
    [`${"a".repeat(1022)}😀`, "a".repeat(1022)],
  ] as const) {
    const refuse = () => {
      throw new CallRefusal("change-refused", message);
    };
    await withChannel(
      refuse,
      (error) => assert.fail(String(error)),
      async (socket) => {
        socket.write(request());
        const [answer] = new FrameCutter().push((await once(socket, "data"))[0] as Buffer);
        const { kind, payload } = decode(frame, answer!);
        assert.equal(kind, "error");
        assert.deepEqual(decode(callError, payload), { code: "change-refused", message: told });
      },
    );
  }
});

test("an answer that cannot even be refused ends the connection, and the process stays", async () => {
  const failures: unknown[] = [];
  const refuse = () => {
    throw new CallRefusal("no-such-code" as never, "a code that no frame takes");
  };
  await withChannel(
    refuse,
    (error) => failures.push(error),
    async (socket) => {
      socket.write(request());
      socket.resume();
      await once(socket, "close");
    },
  );
  assert.equal(failures.length, 1);
});
