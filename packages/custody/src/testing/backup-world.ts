import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectionOf, createPool, provision, randomPassword } from "@meterkeep/postgres";
import { testServerUrl } from "@meterkeep/postgres/testing";
import { generateRecoveryKey, recoveryPrivateKey, recoveryRecipient } from "../backup/recovery-key.ts";
import { restoreDatabase } from "../backup/restore-database.ts";
import { type CustodySite, openSite, type SiteOptions } from "./custody-site.ts";
import { caller } from "./test-custody.ts";

const OPERATOR = caller("operator");

/** Custodians in real databases, backups of them, and empty databases to restore into; in a folder that goes with `dispose`. */
export function backupWorld() {
  const recovery = generateRecoveryKey("safe");
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-backup-"));
  const clock = { now: 1_795_000_000_000 };
  let sites = 0;

  /** A state folder and an escrow are its own unless given. */
  function siteOn(
    { url }: { readonly url: string },
    places: Partial<
      Pick<SiteOptions, "folder" | "state" | "escrow" | "approvers" | "manufacturers" | "onFailure">
    > = {},
  ): Promise<CustodySite> {
    sites += 1;
    const state = join(folder, `state-${sites}`);
    const escrow = join(folder, `escrow-${sites}`);
    return openSite({
      folder,
      url,
      state,
      escrow,
      clock,
      recovery: [recoveryRecipient(recovery.publicText)],
      ...places,
    });
  }

  async function makeBackup({ custody }: Pick<CustodySite, "custody">) {
    const { service } = custody;
    const begun = await service.beginBackup({}, OPERATOR);
    const parts: Uint8Array[] = [begun.header];
    for (;;) {
      const { octets, isLast } = await service.backupChunk({ backup: begun.backup }, OPERATOR);
      parts.push(octets);
      if (isLast) break;
    }
    const { manifest } = await service.finishBackup({ backup: begun.backup }, OPERATOR);
    const file = join(folder, `${begun.id}.backup`);
    writeFileSync(file, Buffer.concat(parts));
    return { file, manifest };
  }

  /** An empty database as an installer makes it. */
  async function emptyDatabase() {
    const server = await testServerUrl();
    sites += 1;
    const name = `restored_${process.pid}_${sites}`;
    const owner = { role: `${name}_owner`, password: randomPassword() };
    const [url] = await provision(server, [
      { database: name, role: `${name}_role`, password: randomPassword(), owner },
    ]);
    return {
      database: name,
      url: url as string,
      ownerUrl: connectionOf(server, { database: name }, owner),
      drop: async () => {
        const admin = createPool(server, { applicationName: "drop" });
        await admin.query(`drop database ${name} with (force)`);
        await admin.query(`drop role ${name}_role, ${name}_owner`);
        await admin.end();
      },
    };
  }

  const restoreInto = (
    target: { readonly url: string; readonly ownerUrl: string },
    file: string,
    feedFolder?: string,
  ) =>
    restoreDatabase({
      file,
      key: recoveryPrivateKey(recovery.privateText),
      feedFolder,
      database: target.url,
      ownerDatabase: target.ownerUrl,
      version: "test",
      now: () => clock.now,
    });

  return {
    recovery,
    folder,
    clock,
    siteOn,
    makeBackup,
    emptyDatabase,
    restoreInto,
    dispose: () => rmSync(folder, { recursive: true }),
  };
}
