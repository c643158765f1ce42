import { chmodSync, createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import { parseSettings } from "@meterkeep/api/settings";
import { CUSTODIAN_CONFIG, type OperatorConfig } from "@meterkeep/api/supervisor";
import {
  drillRestore,
  generateRecoveryKey,
  type MeterLine,
  openBackup,
  recoveryPrivateKey,
  requireSealedFile,
  restoreDatabase,
  verifyManifest,
} from "@meterkeep/custody";
import { connectWrapper } from "@meterkeep/dlms-node";
import { keysFromJson } from "@meterkeep/ledger";
import { connectionOf, launchEmbedded, provision, randomPassword } from "@meterkeep/postgres";
import { openDrillScratch } from "./drill-scratch.ts";
import { type ResealJob, type RewrapJob, reseal, rewrap } from "./rewrap.ts";
import { vaultSource } from "./vault-source.ts";
import { VERSION } from "./version.ts";

/** A backup on disk: the sealed file and its manifest. */
interface BackupFiles {
  readonly file: string;
  readonly manifest: string;
}

/** What the command line asks of a custodian's recovery process. */
export type RecoveryJob =
  | { readonly action: "key"; readonly name: string }
  | ({ readonly action: "verify"; readonly ledgerKeys?: string; readonly recoveryKey?: string } & BackupFiles)
  | ({
      readonly action: "restore";
      readonly recoveryKey: string;
      readonly database: string;
      readonly ownerDatabase: string;
      readonly feedFolder?: string;
    } & BackupFiles)
  | RewrapJob
  | ResealJob
  | ({
      readonly action: "drill";
      readonly recoveryKey: string;
      /** The custodian's own configuration file. */
      readonly custodian: string;
      readonly channel: OperatorConfig["channel"];
      readonly meters: readonly { readonly meter: string; readonly host: string; readonly port: number }[];
    } & BackupFiles);

const LINE_MILLISECONDS = 10_000;

/**
 * Does a job. A drill that `signal` ends leaves nothing behind; the other jobs do not look at it, for they may be cut off anywhere.
 *
 * @throws CustodyError, what the database throws, and the signal's reason
 */
export async function runRecovery(
  job: RecoveryJob,
  onStep: (text: string) => void,
  signal: AbortSignal,
): Promise<unknown> {
  switch (job.action) {
    case "key":
      return generateRecoveryKey(job.name);
    case "verify":
      return verify(job);
    case "restore": {
      await verify({ ...job, action: "verify" });
      onStep("The backup is whole.");
      const { file, recoveryKey, database, ownerDatabase, feedFolder } = job;
      const key = recoveryPrivateKey(recoveryKey);
      return restoreDatabase({ file, key, database, ownerDatabase, feedFolder, version: VERSION, now: Date.now });
    }
    case "rewrap":
      return rewrap(job, onStep);
    case "reseal":
      return reseal(job, onStep);
    case "drill":
      await verify({ ...job, action: "verify" });
      return drill(job, onStep, signal);
    default:
      throw new Error(`no such action: ${JSON.stringify(job satisfies never)}`);
  }
}

async function verify(job: Extract<RecoveryJob, { action: "verify" }>) {
  const trusted = job.ledgerKeys === undefined ? undefined : keysIn(job.ledgerKeys);
  const verified = verifyManifest(readFileSync(job.manifest, "utf8"), trusted);
  await requireSealedFile(job.file, verified.facts);
  if (job.recoveryKey === undefined) return verified;
  let lines = 0;
  for await (const _ of openBackup(createReadStream(job.file), recoveryPrivateKey(job.recoveryKey))) lines += 1;
  return { ...verified, lines };
}

/** What `meterkeep ledger keys --json` wrote: one version of keys, or all. */
function keysIn(text: string) {
  const value = JSON.parse(text) as { readonly keys?: readonly unknown[] };
  return (value.keys ?? [value]).map(keysFromJson);
}

async function drill(
  job: Extract<RecoveryJob, { action: "drill" }>,
  onStep: (text: string) => void,
  signal: AbortSignal,
) {
  const config = parseSettings(CUSTODIAN_CONFIG, JSON.parse(readFileSync(job.custodian, "utf8")));
  await using closing = new AsyncDisposableStack();
  const { path: scratch } = closing.use(openDrillScratch());
  // PostgreSQL runs as another user where this one is root; what is in it is closed again, folder by folder.
  chmodSync(scratch, 0o711);
  const server = await launchEmbedded({
    stateDirectory: join(scratch, "postgres"),
    log: () => undefined,
    durable: false,
  });
  closing.defer(() => server.stop());
  signal.throwIfAborted();
  onStep(`A scratch PostgreSQL ${server.version} runs in ${scratch}.`);
  const live = custodianClient({
    socketPath: job.channel.socketPath,
    certificate: job.channel.certificate,
    privateKey: readFileSync(job.channel.keyFile, "utf8"),
    custodianCertificate: job.channel.custodianCertificate,
  });
  closing.defer(() => live.close());
  let databases = 0;
  const vault = await vaultSource(config);
  signal.throwIfAborted();
  const ended = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  const findings = drillRestore({
    file: job.file,
    key: recoveryPrivateKey(job.recoveryKey),
    vault,
    stateFolder: config.stateDirectory,
    escrowFolder: config.escrowDirectory ?? join(config.stateDirectory, "escrow"),
    scratch,
    live,
    newDatabase: async () => {
      databases += 1;
      const database = `drill_${databases}`;
      const owner = { role: `${database}_owner`, password: randomPassword() };
      const [url] = await provision(server.adminUrl, [
        { database, role: `${database}_role`, password: randomPassword(), owner },
      ]);
      return { database: url as string, ownerDatabase: connectionOf(server.adminUrl, { database }, owner) };
    },
    meters: job.meters.map(({ meter, host, port }) => ({
      title: meter,
      connect: (clientSap, serverSap) => connect(host, port, clientSap, serverSap),
    })),
    version: VERSION,
    now: Date.now,
    onStep,
  });
  // Awaited here: what it needs is closed when this function ends. Broken off, it fails over what is gone, unheard.
  return await Promise.race([findings, ended]);
}

async function connect(host: string, port: number, clientSap: number, serverSap: number): Promise<MeterLine> {
  const connection = await connectWrapper({
    host,
    port,
    clientSap,
    serverSap,
    responseTimeoutMilliseconds: LINE_MILLISECONDS,
    connectTimeoutMilliseconds: LINE_MILLISECONDS,
  });
  return {
    exchange: (apdu) => connection.exchange(apdu, AbortSignal.timeout(LINE_MILLISECONDS)),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}
