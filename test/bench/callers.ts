import { once } from "node:events";
import { connect } from "node:net";
import { encodeWrapper } from "@meterkeep/dlms";
import { connectTls, type TlsIdentity } from "@meterkeep/dlms-node";

/** The other side of the bench of connections: makes them, says a name on each, and keeps them. */
interface Order {
  readonly port: number;
  readonly connections: number;
  readonly tls: (TlsIdentity & { readonly peer: string }) | undefined;
}

/** Handshakes under way at once. */
const AT_ONCE = 64;

process.on("message", (order: Order) => void run(order));

async function run({ port, connections, tls }: Order): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < connections) {
      const n = next;
      next += 1;
      const socket =
        tls === undefined
          ? connect({ port, host: "127.0.0.1" })
          : await connectTls({ ...tls, host: "127.0.0.1", port, connectTimeoutMilliseconds: 120_000 });
      if (tls === undefined) await once(socket, "connect");
      socket.on("error", () => undefined);
      socket.resume();
      socket.write(encodeWrapper(1, 1, Uint8Array.of(0x0f, n >> 16, (n >> 8) & 0xff, n & 0xff)));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
