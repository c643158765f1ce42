import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { listenTls } from "@meterkeep/dlms-node";
import { CALL_LIMITS, Calls, NETWORKS } from "@meterkeep/headend";
import { createChannelCredential } from "@meterkeep/pki";
import { option } from "./usage.ts";

// What a connection costs that a meter keeps: 5 000 of them are made to one process, each says who it is, and the growth
// of that process's memory is divided among them. TCP first, then mutual TLS. `--connections N`.

const wanted = option("connections", 5_000);
const CALLER = fileURLToPath(new URL("callers.ts", import.meta.url));

interface Accepting extends AsyncDisposable {
  readonly port: number;
}

/** Resident memory after everything that is garbage has gone. */
async function resident(): Promise<number> {
  for (let n = 0; n < 4; n += 1) {
    globalThis.gc?.();
    await sleep(100);
  }
  return process.memoryUsage().rss;
}

async function measure(
  name: string,
  limitBytes: number,
  listen: (calls: Calls) => Promise<Accepting>,
  tls: object | undefined,
) {
  let bound = 0;
  const done = Promise.withResolvers<void>();
  const calls = new Calls(
    {
      // The custodian's part is not measured: the notification is taken as what it says.
      take: ({ apdu, authenticated }) => authenticated(Buffer.from(apdu).toString("hex")),
      onBound: () => {
        bound += 1;
        if (bound === wanted) done.resolve();
      },
      onClaimed: () => undefined,
      onWanted: () => undefined,
      networkOf: () => NETWORKS.cellular,
    },
    { ...CALL_LIMITS, bound: wanted, unknown: wanted, unknownPerAddress: wanted, identifySeconds: 600 },
  );
  await using listener = await listen(calls);
  const before = await resident();
  const started = performance.now();
  const caller = fork(CALLER, [], { serialization: "advanced" });
  caller.send({ port: listener.port, connections: wanted, tls });
  const failed = once(caller, "exit").then(([code]) => Promise.reject(new Error(`the callers ended with ${code}`)));
  await Promise.race([done.promise, failed]);
  const seconds = (performance.now() - started) / 1000;
  const each = ((await resident()) - before) / wanted;
  const cpu = process.cpuUsage();
  await sleep(5_000);
  const { user, system } = process.cpuUsage(cpu);
  const verdict = each <= limitBytes ? "within" : "above";
  console.log(
    `  ${name.padEnd(12)} ${wanted} connections, ${(each / 1000).toFixed(1)} kB each (${verdict} ${limitBytes / 1000} kB), made in ${seconds.toFixed(1)} s, idle CPU ${((user + system) / 50_000).toFixed(2)} %`,
  );
  failed.catch(() => undefined);
  calls[Symbol.dispose]();
  caller.kill();
  await failed.catch(() => undefined);
}

console.log(`memory of the process that has them (resident, after collection), the callers in another process`);
await measure(
  "TCP",
  15_000,
  async (calls) => {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      calls.accept(socket);
    });
    server.listen({ port: 0, host: "127.0.0.1", backlog: 2_048 });
    await once(server, "listening");
    return {
      port: (server.address() as AddressInfo).port,
      [Symbol.asyncDispose]: async () => {
        for (const socket of sockets) socket.destroy();
        server.close();
        await once(server, "close");
      },
    };
  },
  undefined,
);
const DAY_MS = 86_400_000;
const credential = (name: string) =>
  createChannelCredential({
    name,
    serial: randomBytes(16),
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
  });
const [own, other] = [credential("listener"), credential("caller")];
const authorities = own.certificate + other.certificate;
await measure(
  "mutual TLS",
  100_000,
  (calls) => listenTls({ ...own, authorities, maxConnections: wanted, onConnection: (socket) => calls.accept(socket) }),
  { ...other, authorities, peer: "listener" },
);
process.exit(0);
