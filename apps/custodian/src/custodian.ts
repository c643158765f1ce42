import { readFile, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { getHeapStatistics } from "node:v8";
import { recipientFile } from "@meterkeep/api/custodian";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import { type CustodianConfig, STOP_GRACE_MS } from "@meterkeep/api/supervisor";
import {
  CUSTODY_MIGRATIONS,
  type Custody,
  type CustodyOptions,
  type EstService,
  FIELD_PACE,
  type KeepingOf,
  type KeyService,
  listenForEnrolment,
  listenForHeadEnds,
  listenOnChannel,
  openCustody,
  type Pace,
  recoveryRecipient,
  trustedManufacturer,
  type VaultSource,
} from "@meterkeep/custody";
import { createPool, prepareSchema } from "@meterkeep/postgres";
import { anchorsOf } from "./anchors.ts";
import { closedWithin } from "./closing.ts";
import { closeDoors } from "./doors.ts";
import { onFreePort } from "./free-port.ts";
import { ledgerOptions } from "./ledger-options.ts";
import { serveField } from "./page/field-server.ts";
import { pagePlace, servePage } from "./page/page-server.ts";
import { pkiOptions } from "./pki-options.ts";
import { vaultSource } from "./vault-source.ts";
import { VERSION } from "./version.ts";

const SWEEP_MILLISECONDS = 15_000;
/** How often is looked whether a checkpoint is due, and read on in the ledger. */
const KEEP_MILLISECONDS = 1_000;
/** How often is looked whether the enrolment service needs a new certificate. */
const ENROLMENT_MILLISECONDS = 60_000;
const MOST_CONNECTIONS = 8;
/** What the database does not answer for so long has whoever waits for it told, as of a lost connection. */
const ANSWER_MILLISECONDS = 30_000;
/** What closing waits for is told before the supervisor kills it ({@link STOP_GRACE_MS}); under nobody's supervision it ends by itself. */
const CLOSING = { told: STOP_GRACE_MS - 1_000, over: 60_000 };
/** A session takes up to 4 KiB, with its line of counters; the other half is for everything else. */
const HEAP_BYTES_A_SESSION = 8192;

/** Puts the custodian together: database, vault, channel. */
export async function startCustodian(config: CustodianConfig, supervisor: Supervisor): Promise<SupervisedProcess> {
  closeDoors();
  const pool = createPool(config.database, {
    applicationName: "meterkeep-custodian",
    maxConnections: MOST_CONNECTIONS,
    answerMilliseconds: ANSWER_MILLISECONDS,
  });
  try {
    await prepareSchema({ pool, ownerUrl: config.ownerDatabase, sources: CUSTODY_MIGRATIONS, version: VERSION });
    const custody = await openCustody(pool, custodyOptions(config, await vaultSource(config)), {
      holder: `${hostname()} ${process.pid}`,
      silentMilliseconds: config.standbyAfter,
      // Standing by is what a standby is for: whoever waits for it to be ready waits no longer.
      onWaiting: () => {
        if (config.standbyAfter !== undefined) supervisor.send({ type: "ready", facts: { "stands by": true } });
      },
      onTaken: () => supervisor.send({ type: "took-over" }),
      onLost: (error) => {
        supervisor.send({ type: "failed", code: error.code, message: error.message });
        process.exit(1);
      },
    });
    const { halt } = custody.ledger.state;
    if (halt !== undefined) supervisor.send({ type: "step", text: `The custodian uses no key: ${halt.message}` });
    if (custody.rootKeyCreated) supervisor.send({ type: "step", text: rootKeySentence(config) });
    await writePublic(
      config.exchangeDirectory,
      "recipient.json",
      `${JSON.stringify(recipientFile(custody.recipient))}\n`,
    );
    await writePublic(
      config.exchangeDirectory,
      "trust-anchors.json",
      `${JSON.stringify({ anchors: await anchorsOf(custody) })}\n`,
    );
    const channel = await listenOnChannel({
      ...custody,
      socketPath: config.socketPath,
      certificate: config.certificate,
      privateKey: await readFile(config.keyFile, "utf8"),
      principals: config.principals,
    });
    const keyService = await onFreePort(() => keyServiceOf(config, custody));
    const enrolment = await onFreePort(() => enrolmentOf(config, custody));
    const { pagePort, field: fieldPlace } = config;
    const page =
      pagePort === undefined ? undefined : await onFreePort(() => servePage(custody, pagePlace(pagePort), pagePort));
    const field =
      fieldPlace === undefined
        ? undefined
        : await onFreePort(() => serveField(custody, { origin: undefined, ...fieldPlace }));
    const sweeping = setInterval(() => void custody.sweep().catch(custody.onFailure), SWEEP_MILLISECONDS);
    const keeping = setInterval(() => {
      void custody.ledger.tick().catch(custody.onFailure);
      void custody.patrol().catch(custody.onFailure);
    }, KEEP_MILLISECONDS);
    supervisor.send({
      type: "ready",
      facts: { meters: custody.meters, vault: config.tokensFile === undefined ? "software" : "tokens" },
    });
    return {
      close: () => {
        clearInterval(sweeping);
        clearInterval(keeping);
        const closing = async (): Promise<void> => {
          await enrolment?.close();
          await field?.close();
          await page?.close();
          await keyService?.close();
          await channel.close();
          await custody.close();
          await pool.end();
        };
        return closedWithin(
          CLOSING,
          closing,
          () => custody.underWay(),
          (text) => supervisor.send({ type: "step", text }),
        );
      },
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

/** What custody is opened with by a configuration. */
export function custodyOptions(config: CustodianConfig, vault: VaultSource): CustodyOptions {
  return {
    vault,
    manufacturers: config.manufacturers.map(trustedManufacturer),
    stateFolder: config.stateDirectory,
    escrowFolder: config.escrowDirectory,
    version: VERSION,
    separateUser: config.separateUser,
    pace: paceOf(config),
    keeping: keepingOf(config),
    sealBudget: config.sealBudget,
    mostSessions: Math.floor(getHeapStatistics().heap_size_limit / HEAP_BYTES_A_SESSION),
    ledger: ledgerOptions(config),
    pki: pkiOptions(config),
    recovery: (config.recovery ?? []).map(recoveryRecipient),
    now: () => Date.now(),
    monotonic: () => performance.now(),
    page: config.pagePort === undefined ? undefined : pagePlace(config.pagePort),
    onFailure: (error) => console.error(error),
  };
}

/** Listens for enrolment over EST, where that is wanted; while the ledger is halted nobody enrols. */
async function enrolmentOf(config: CustodianConfig, custody: Custody): Promise<EstService | undefined> {
  const { pki: { enrolment } = {}, utility, island } = config;
  if (enrolment === undefined || custody.ledger.state.halt !== undefined) return undefined;
  const { host, port, names } = enrolment;
  const service = await listenForEnrolment({ ...custody, host, port, names, place: { utility, island } });
  const tending = setInterval(() => void service.tend().catch(custody.onFailure), ENROLMENT_MILLISECONDS);
  return {
    ...service,
    close: async () => {
      clearInterval(tending);
      await service.close();
    },
  };
}

/** Listens for head-ends of other vendors, where that is wanted, and tells the world the certificate they find there. */
async function keyServiceOf(
  { keyService, exchangeDirectory }: CustodianConfig,
  custody: Custody,
): Promise<KeyService | undefined> {
  if (keyService === undefined) return undefined;
  const { host, port, certificate, keyFile } = keyService;
  const privateKey = await readFile(keyFile, "utf8");
  await writePublic(exchangeDirectory, "key-service.crt", certificate);
  return listenForHeadEnds({ ...custody, host, port, certificate, privateKey, version: VERSION });
}

/** Of an island whose keys are in tokens, what is not is held no longer than a call. */
function keepingOf({ meterKeys = [] }: CustodianConfig): KeepingOf {
  const said = new Map(meterKeys.map(({ utility, island, keep }) => [JSON.stringify([utility, island]), keep]));
  return ({ utility, island }) => {
    const keep = said.get(JSON.stringify([utility, island])) ?? "session";
    return keep === "session" ? "session" : "call";
  };
}

function rootKeySentence({ tokensFile, passphraseFile, rootKeyFile }: CustodianConfig): string {
  if (tokensFile !== undefined)
    return "Founded the vault in the tokens. Without one of them none of its keys opens again; have two, and back each up as its maker says.";
  return passphraseFile === undefined
    ? `Made the vault's root key in ${rootKeyFile}. Whoever has it has every key; without it none of them opens again.`
    : "Founded the vault on the passphrase. Whoever knows it has every key; without it none of them opens again.";
}

/** Virtual meters have no lock-out and restart within seconds: they may be tried again sooner than those in the field. */
function paceOf({ probeSpacing }: CustodianConfig): Pace {
  if (probeSpacing === undefined) return FIELD_PACE;
  return {
    sameKeysMilliseconds: probeSpacing,
    anyKeysMilliseconds: Math.min(Math.ceil(probeSpacing / 4), FIELD_PACE.anyKeysMilliseconds),
    firstRetryMilliseconds: Math.min(probeSpacing, FIELD_PACE.firstRetryMilliseconds),
    lockOutMilliseconds: Math.min(probeSpacing, FIELD_PACE.lockOutMilliseconds),
  };
}

/** Under another name first, so that nobody reads half of it. */
async function writePublic(folder: string, name: string, text: string): Promise<void> {
  const path = join(folder, name);
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, text, { mode: 0o644 });
  await rename(draft, path);
}
