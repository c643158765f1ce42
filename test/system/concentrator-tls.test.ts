import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { connectTls, listenTls, type TlsIdentity } from "@meterkeep/dlms-node";
import { createChannelCredential } from "@meterkeep/pki";

const DAY_MS = 86_400_000;
const credential = (name: string) =>
  createChannelCredential({
    name,
    serial: randomBytes(16),
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
  });
const [headEnd, concentrator, stranger] = ["head-end", "dc-1", "dc-1"].map(credential);
const knowing = (own: typeof headEnd, ...others: (typeof headEnd)[]): TlsIdentity => ({
  ...own!,
  authorities: others.map((one) => one!.certificate).join(""),
});

test("a trunk is made where both ends have proven the certificate that the other wants, with the hybrid group", async () => {
  const peers: string[] = [];
  await using listener = await listenTls({
    ...knowing(concentrator, headEnd),
    onConnection: (_, peer) => peers.push(peer),
  });
  const target = { host: "127.0.0.1", port: listener.port, connectTimeoutMilliseconds: 60_000 };
  const socket = await connectTls({ ...target, ...knowing(headEnd, concentrator), peer: "dc-1" });
  assert.equal(socket.getProtocol(), "TLSv1.3");
  assert.equal((socket.getEphemeralKeyInfo() as { name?: string }).name, "X25519MLKEM768");
  while (peers.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(peers, ["head-end"]);
  socket.destroy();
});

test("another name, another root, and a client that nobody certified are refused", async () => {
  const peers: string[] = [];
  await using listener = await listenTls({
    ...knowing(concentrator, headEnd),
    onConnection: (_, peer) => peers.push(peer),
  });
  const target = { host: "127.0.0.1", port: listener.port, connectTimeoutMilliseconds: 60_000 };
  const refused = { code: "connection-failed" };
  await assert.rejects(connectTls({ ...target, ...knowing(headEnd, concentrator), peer: "dc-2" }), refused);
  await assert.rejects(connectTls({ ...target, ...knowing(headEnd, stranger), peer: "dc-1" }), refused);
  // In TLS 1.3 a client hears after its own handshake that its certificate was not taken.
  const socket = await connectTls({ ...target, ...knowing(stranger, concentrator), peer: "dc-1" }).catch(
    () => undefined,
  );
  if (socket !== undefined) {
    socket.on("error", () => undefined);
    socket.resume();
    if (!socket.closed) await once(socket, "close");
  }
  assert.ok(!peers.includes("dc-1"));
});
