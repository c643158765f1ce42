import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { parseSettings } from "@meterkeep/api/settings";
import { CUSTODIAN_CONFIG, type CustodianConfig } from "@meterkeep/api/supervisor";
import {
  CUSTODY_MIGRATIONS,
  type Custody,
  CustodyError,
  openCustody,
  type Resealed,
  type RootChanged,
  type RootKeySource,
  type VaultSource,
} from "@meterkeep/custody";
import { createPool, pendingMigrations } from "@meterkeep/postgres";
import { custodyOptions } from "./custodian.ts";
import { closeDoors } from "./doors.ts";
import { vaultSource } from "./vault-source.ts";
import { VERSION } from "./version.ts";

/** Where a custodian is that does not run, and as whom to open it. */
interface CustodianAtRest {
  /** The custodian's own configuration file. */
  readonly custodian: string;
  /** Its database as the owner of the schema, who alone overwrites what is sealed. */
  readonly ownerDatabase: string;
  /** The passphrase that opens the vault; else what the configuration says. */
  readonly passphrase?: string;
  /** Whose the custodian's files are, where this process began as root. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** Another root key for the vault. */
export interface RewrapJob extends CustodianAtRest {
  readonly action: "rewrap";
  /** A new file in the place of the present one, unless a passphrase is given. */
  readonly newPassphrase?: string;
  readonly reason: string;
}

/** Meter keys that lie under former vault keys, sealed anew. */
export interface ResealJob extends CustodianAtRest {
  readonly action: "reseal";
}

const OPERATOR = { name: "operator", role: "operator" } as const;
/** An owner has four, of which one holds the place of the custodian. */
const MOST_CONNECTIONS = 2;
const METERS_A_STEP = 10_000;

/** Gives the vault another root key. @throws CustodyError, CallRefusal `approval-required` */
export function rewrap(job: RewrapJob, onStep: (text: string) => void): Promise<RootChanged> {
  return withCustody(job, onStep, ({ rewrapVault }, config) => {
    const next: RootKeySource =
      job.newPassphrase === undefined
        ? { kind: "file", path: config.rootKeyFile }
        : { kind: "passphrase", passphrase: job.newPassphrase };
    return rewrapVault(next, OPERATOR, job.reason);
  });
}

/** Seals anew what lies under former vault keys. */
export function reseal(job: ResealJob, onStep: (text: string) => void): Promise<Resealed> {
  let told = 0;
  return withCustody(job, onStep, ({ resealMeterKeys }) =>
    resealMeterKeys(OPERATOR, ({ meters, keys }) => {
      if (meters < told + METERS_A_STEP) return;
      told = meters;
      onStep(`${meters} meters looked at, ${keys} keys sealed anew.`);
    }),
  );
}

async function withCustody<T>(
  job: CustodianAtRest,
  onStep: (text: string) => void,
  work: (custody: Custody, config: CustodianConfig) => Promise<T>,
): Promise<T> {
  closeDoors();
  const config = parseSettings(CUSTODIAN_CONFIG, JSON.parse(readFileSync(job.custodian, "utf8")));
  if (job.user !== undefined) become(job.user);
  const source: VaultSource =
    job.passphrase === undefined ? await vaultSource(config) : { kind: "passphrase", passphrase: job.passphrase };
  const pool = createPool(job.ownerDatabase, {
    applicationName: "meterkeep-custodian",
    maxConnections: MOST_CONNECTIONS,
  });
  try {
    if ((await pendingMigrations(pool, CUSTODY_MIGRATIONS, { version: VERSION })).length > 0)
      throw new CustodyError(
        "custodian-config-invalid",
        "the custodian's database is of an older version: start Meterkeep once with this one, and stop it again",
      );
    const custody = await openCustody(pool, custodyOptions(config, source), {
      holder: `${hostname()} ${process.pid} at rest`,
      onLost: (error) => onStep(error.message),
    });
    try {
      const { halt } = custody.ledger.state;
      if (halt !== undefined) throw halt;
      return await work(custody, config);
    } finally {
      await custody.close();
    }
  } finally {
    await pool.end();
  }
}

/** What is written from here on belongs to the custodian's user. */
function become({ uid, gid }: NonNullable<CustodianAtRest["user"]>): void {
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
