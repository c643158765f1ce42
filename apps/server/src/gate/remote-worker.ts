import { readFile } from "node:fs/promises";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import type { RemoteWorkerConfig } from "@meterkeep/api/supervisor";
import { tlsIdentityIn } from "@meterkeep/dlms-node";
import { shelfOf } from "@meterkeep/headend";
import { throughSocket } from "@meterkeep/postgres";
import { createLogger } from "../log/logger.ts";
import { runWorker } from "../worker.ts";
import { deskClient } from "./desk-client.ts";
import { openTunnel } from "./tunnel.ts";

/**
 * Starts a worker on a machine that has nothing of the head-end but what it was enrolled with: what the others find in
 * sockets and files beside them, it finds behind the gate. It keeps nothing, and may be killed at any moment.
 */
export async function startRemoteWorker(
  config: RemoteWorkerConfig,
  supervisor: Supervisor,
): Promise<SupervisedProcess> {
  await using stack = new AsyncDisposableStack();
  const logger = createLogger();
  const onError = (error: unknown): void => logger.error({ err: error }, "something failed in the background");
  const { gate, authorities, identityFile, socketDirectory, custodianCertificate, sessions } = config;
  const identity = tlsIdentityIn(await readFile(identityFile, "utf8"), authorities);
  const desk = stack.use(deskClient(gate, identity));
  const { policyKey, database, ...told } = await desk.settings();
  const tunnel = stack.use(await openTunnel({ gate, identity, directory: socketDirectory, onError }));
  const custodian = custodianClient({ ...identity, socketPath: tunnel.custodian, custodianCertificate });
  stack.defer(() => custodian.close());
  const worker = await runWorker(
    { ...told, sessions, switchboard: tunnel.lines, database: throughSocket(database, tunnel.database) },
    { custodian, exchange: desk.exchange, shelf: shelfOf(desk.shelf), policy: desk.policy(policyKey), logger },
  );
  stack.defer(() => worker.close());
  supervisor.send({ type: "ready", facts: { name: config.name, sessions } });
  const running = stack.move();
  return { close: () => running.disposeAsync() };
}
