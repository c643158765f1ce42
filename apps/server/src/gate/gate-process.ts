import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import type { GateConfig } from "@meterkeep/api/supervisor";
import { serverPlace } from "@meterkeep/postgres";
import { policyKeyIn } from "../command-work.ts";
import { ExchangeFiles } from "../exchange-files.ts";
import { createLogger } from "../log/logger.ts";
import { openGate } from "./gate.ts";

/** Puts the gate together and opens it. It has no pool and no inventory: what it holds is what passes. */
export async function startGate(config: GateConfig, supervisor: Supervisor): Promise<SupervisedProcess> {
  await using stack = new AsyncDisposableStack();
  const logger = createLogger();
  const { channel, database, utility, island, readEvery, collectDays, powerQuality, announces } = config;
  const { pushHost, pushPort, pushDestinations } = config;
  const custodian = custodianClient({
    socketPath: channel.socketPath,
    certificate: channel.certificate,
    privateKey: await readFile(channel.keyFile, "utf8"),
    custodianCertificate: channel.custodianCertificate,
  });
  stack.defer(() => custodian.close());
  const policy = policyKeyIn(config.stateDirectory);
  const firmware = join(config.stateDirectory, "firmware");
  const collecting = { readEvery, collectDays, powerQuality };
  const told = { database, utility, island, ...collecting, announces, pushHost, pushPort, pushDestinations };
  const gate = stack.use(
    await openGate({
      host: config.host,
      port: config.port,
      identity: {
        privateKey: await readFile(config.keyFile, "utf8"),
        certificate: config.certificate,
        authorities: config.authorities,
      },
      custodian,
      places: {
        custodian: { path: channel.socketPath },
        lines: { path: config.switchboard },
        database: serverPlace(database),
      },
      desk: {
        settings: { ...told, policyKey: policy.publicKey },
        policy,
        exchange: new ExchangeFiles(config.exchangeDirectory),
        shelf: {
          read: (name) => readFile(join(firmware, name)),
          makers: () => readdir(join(firmware, "makers")).catch(() => []),
        },
        now: () => Date.now(),
      },
      onWorker: (worker, what) =>
        what === "came" || what === "left"
          ? logger.info({ worker }, `a worker ${what}`)
          : logger.warn(
              { worker },
              `a worker was ${what === "cut" ? "cut off: its certificate does not stand any more" : "refused: the registry has no such worker"}`,
            ),
    }),
  );
  supervisor.send({ type: "ready", facts: { port: gate.port } });
  const running = stack.move();
  return { close: () => running.disposeAsync() };
}
