import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@meterkeep/postgres/testing";

const NATS_SERVER = "/usr/sbin/nats-server";

/** A real NATS server with JetStream, whose directory outlives it until it is disposed of. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  /** Where leaf nodes connect to. */
  readonly leafUrl: string;
  /** Lets it write what it keeps, and end. */
  stop(): Promise<void>;
  /** Ends it as a power cut of its process does: `kill -9`. */
  kill(): Promise<void>;
  /** Again on the same port with the same directory. */
  start(): Promise<void>;
}

/** Starts one; with a `hub`, as its leaf node. */
export async function startNatsServer(domain: string, hub?: string): Promise<NatsServer> {
  const directory = await mkdtemp(join(tmpdir(), "meterkeep-nats-"));
  const [port, leafPort] = [await freePort(), await freePort()];
  const leaf = hub === undefined ? `port: ${leafPort}` : `remotes: [{ url: "${hub}" }]`;
  const file = join(directory, "server.conf");
  await writeFile(
    file,
    `listen: "127.0.0.1:${port}"
server_name: "${domain}"
jetstream: { store_dir: "${directory}/store", domain: "${domain}", max_mem: 64MB, max_file: 1GB }
leafnodes: { ${hub === undefined ? 'host: "127.0.0.1", ' : ""}${leaf} }
`,
  );
  let child: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const gone = once(running, "exit");
    running.kill(signal);
    await gone;
  };
  const start = async (): Promise<void> => {
    const started = spawn(NATS_SERVER, ["-c", file], { stdio: ["ignore", "ignore", "pipe"] });
    child = started;
    await ready(started);
  };
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    leafUrl: `nats://127.0.0.1:${leafPort}`,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    start,
    [Symbol.asyncDispose]: async () => {
      await end("SIGKILL");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function ready(child: ChildProcess): Promise<void> {
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    if (log.length < 100_000) log += text;
  });
  while (!log.includes("Server is ready")) {
    if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}: ${log}`);
    await sleep(20);
  }
}
