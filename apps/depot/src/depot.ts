import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import type { DepotConfig } from "@meterkeep/api/supervisor";
import { connectWrapper } from "@meterkeep/dlms-node";
import { type Address, type Dial, parseAddresses, parseGrid, SESSION_LIMITS } from "@meterkeep/headend";
import { type BenchMeter, runBench } from "./bench.ts";

const LOOK_AGAIN_MILLISECONDS = 500;

/** Puts the depot together: it learns who is on the bench from the exchange directory and takes them over, once each. */
export async function startDepot(config: DepotConfig, supervisor: Supervisor): Promise<SupervisedProcess> {
  const custodian = custodianClient({
    socketPath: config.channel.socketPath,
    certificate: config.channel.certificate,
    privateKey: await readFile(config.channel.keyFile, "utf8"),
    custodianCertificate: config.channel.custodianCertificate,
  });
  const closing = new AbortController();
  const done = new Set<string>();
  let places: ReadonlyMap<string, Address> = new Map();
  let seen = "";
  const look = async (): Promise<void> => {
    const stamp = await stampOf(config.exchangeDirectory);
    if (stamp === seen) return;
    places = await metersOnBench(config.exchangeDirectory);
    seen = stamp;
  };
  await look();
  const looking = repeatUntil(closing.signal, look);
  const work = (async () => {
    while (!closing.signal.aborted) {
      const meters = [...places.keys()]
        .filter((title) => !done.has(title))
        .map((title): BenchMeter => ({ title, address: () => places.get(title) }));
      if (meters.length > 0)
        await runBench(
          {
            custodian,
            dial,
            limits: SESSION_LIMITS,
            now: () => Date.now(),
            random: Math.random,
            onFailure: (meter, code) => process.stdout.write(`${meter.title}: ${code}\n`),
            onDone: (meter) => done.add(meter.title),
          },
          meters,
          closing.signal,
        );
      await rest(closing.signal);
    }
  })();
  supervisor.send({ type: "ready" });
  return {
    close: async () => {
      closing.abort();
      await Promise.all([looking, work]);
      await custodian.close();
    },
  };
}

/** Looks again and again: the town says anew where its meters are whenever it starts. */
async function repeatUntil(closed: AbortSignal, look: () => Promise<void>): Promise<void> {
  while (!closed.aborted) {
    await rest(closed);
    await look();
  }
}

/** Changes whenever one of the files is written anew. */
async function stampOf(exchange: string): Promise<string> {
  const stamps = ["grid.json", "addresses.json"].map(async (name) => {
    const facts = await stat(join(exchange, name)).catch(() => undefined);
    return `${facts?.ino} ${facts?.mtimeMs}`;
  });
  return (await Promise.all(stamps)).join(" ");
}

async function rest(closed: AbortSignal): Promise<void> {
  await sleep(LOOK_AGAIN_MILLISECONDS, undefined, { signal: closed }).catch(() => undefined);
}

/** The meters of the feeders whose path is the depot, with their places as far as the town has told them. */
async function metersOnBench(exchange: string): Promise<ReadonlyMap<string, Address>> {
  const gridText = await readIfThere(join(exchange, "grid.json"));
  const addressText = await readIfThere(join(exchange, "addresses.json"));
  if (gridText === undefined || addressText === undefined) return new Map();
  const depot = new Map(
    parseAddresses(addressText).meters.flatMap((meter) =>
      meter.depot === undefined ? [] : [[meter.systemTitle, meter.depot]],
    ),
  );
  const titles = parseGrid(gridText)
    .feeders.filter(({ path }) => path === "depot")
    .flatMap((feeder) => [feeder.transformer.meter, ...feeder.homes.map(({ meter }) => meter)]);
  return new Map(
    titles.flatMap((title) => {
      const address = depot.get(title);
      return address === undefined ? [] : [[title, address]];
    }),
  );
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

const dial: Dial = ({ host, port }, { clientSap, serverSap }, signal) =>
  connectWrapper({
    host,
    port,
    clientSap,
    serverSap,
    signal,
    connectTimeoutMilliseconds: SESSION_LIMITS.connectSeconds * 1000,
    responseTimeoutMilliseconds: SESSION_LIMITS.responseSeconds * 1000,
  });
