import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import type { DepotConfig } from "@meterkeep/api/supervisor";
import { connectWrapper } from "@meterkeep/dlms-node";
import { type Dial, parseAddresses, parseGrid, SESSION_LIMITS } from "@meterkeep/headend";
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
  const work = (async () => {
    while (!closing.signal.aborted) {
      const meters = (await metersOnBench(config.exchangeDirectory)).filter(({ title }) => !done.has(title));
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
      await sleep(LOOK_AGAIN_MILLISECONDS, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  })();
  supervisor.send({ type: "ready" });
  return {
    close: async () => {
      closing.abort();
      await work;
      await custodian.close();
    },
  };
}

/** The meters of the feeders whose path is the depot, as far as the town has told where they are. */
async function metersOnBench(exchange: string): Promise<readonly BenchMeter[]> {
  const gridText = await readIfThere(join(exchange, "grid.json"));
  const addressText = await readIfThere(join(exchange, "addresses.json"));
  if (gridText === undefined || addressText === undefined) return [];
  const depot = new Map(
    parseAddresses(addressText).meters.flatMap((meter) =>
      meter.depot === undefined ? [] : [[meter.systemTitle, meter.depot]],
    ),
  );
  return parseGrid(gridText)
    .feeders.filter(({ path }) => path === "depot")
    .flatMap((feeder) => [feeder.transformer.meter, ...feeder.homes.map(({ meter }) => meter)])
    .flatMap((title) => {
      const address = depot.get(title);
      return address === undefined ? [] : [{ title, address }];
    });
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
