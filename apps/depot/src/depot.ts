import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import type { DepotConfig } from "@meterkeep/api/supervisor";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { carryContact, routeDial, SESSION_LIMITS } from "@meterkeep/headend";
import { Bench } from "./bench.ts";
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
  const now = (): number => Date.now();
  const dial = routeDial();
  const closing = new AbortController();
  const done = new Set<string>();
  const places = new Places(config.exchangeDirectory, (error) => {
    const text = `The bench goes on with what it knew: ${(error as Error).message}`;
    process.stdout.write(`${text}\n`);
    supervisor.send({ type: "step", text });
  });
  const bench = new Bench({
    contact: (meter, address, signal) =>
      carryContact(
        { custodian, dial, now },
        { systemTitle: systemTitle(fromHex(meter.title)), route: { kind: "tcp", ...address, network: "lan" } },
        signal,
      ),
    limits: SESSION_LIMITS,
    now,
    random: Math.random,
    onFailure: (meter, code) => process.stdout.write(`${meter.title}: ${code}\n`),
    onDone: (meter) => done.add(meter.title),
  });
  const look = async (): Promise<void> => {
    await places.look();
    for (const title of places.known.keys())
      if (!done.has(title)) bench.add({ title, address: () => places.known.get(title) });
  };
  await look();
  const looking = repeatUntil(closing.signal, look);
  const work = bench.run(closing.signal);
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
