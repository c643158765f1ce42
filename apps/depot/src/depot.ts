import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import type { DepotConfig } from "@meterkeep/api/supervisor";
import { connectWrapper } from "@meterkeep/dlms-node";
import { type Dial, SESSION_LIMITS } from "@meterkeep/headend";
import { type BenchMeter, runBench } from "./bench.ts";
import { Places } from "./places.ts";

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
  const places = new Places(config.exchangeDirectory, (error) => {
    const text = `The bench goes on with what it knew: ${(error as Error).message}`;
    process.stdout.write(`${text}\n`);
    supervisor.send({ type: "step", text });
  });
  await places.look();
  const looking = repeatUntil(closing.signal, () => places.look());
  const work = (async () => {
    while (!closing.signal.aborted) {
      const meters = [...places.known.keys()]
        .filter((title) => !done.has(title))
        .map((title): BenchMeter => ({ title, address: () => places.known.get(title) }));
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

async function rest(closed: AbortSignal): Promise<void> {
  await sleep(LOOK_AGAIN_MILLISECONDS, undefined, { signal: closed }).catch(() => undefined);
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
