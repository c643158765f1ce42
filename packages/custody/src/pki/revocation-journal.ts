import { mkdir, open } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { JournaledRevocation } from "@meterkeep/pki";
import type { Vault } from "../vault/vault.ts";

const FILE = "revocations.jsonl";

/** Revocations as they lie beside the database: a database from a backup is told them again. */
export interface RevocationJournal {
  append(revoked: JournaledRevocation): Promise<void>;
  /** Every revocation whose line is whole and was written by this vault; the others are counted. */
  read(onStrange: (line: number) => void): AsyncGenerator<JournaledRevocation>;
}

/**
 * A file in the directory of the escrow, which should lie on other storage than the database: one line of JSON each, with
 * a MAC of the vault, so that nobody who can write there revokes anything.
 */
export async function openRevocationJournal(directory: string, vault: Vault): Promise<RevocationJournal> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = `${directory}/${FILE}`;
  await (await open(path, "a", 0o600)).close();
  const macOf = async (text: string): Promise<string> => {
    const [mac] = await vault.authenticate([Buffer.from(`meterkeep-revocation-1/${text}`)]);
    return Buffer.from(mac!).toString("base64");
  };
  let turn: Promise<unknown> = Promise.resolve();
  return {
    append: ({ at, authority, reason, serials }) => {
      const written = turn.then(async () => {
        const text = JSON.stringify({ at, authority, reason, serials });
        // A line that a dying machine cut short ends here: the next one stands alone.
        const line = `\n${await macOf(text)} ${text}\n`;
        const file = await open(path, "a");
        try {
          await file.appendFile(line);
          await file.datasync();
        } finally {
          await file.close();
        }
      });
      turn = written.catch(() => undefined);
      return written;
    },
    read: async function* (onStrange) {
      const file = await open(path, "r");
      let number = 0;
      try {
        for await (const line of createInterface({ input: file.createReadStream({ autoClose: false }) })) {
          number += 1;
          if (line === "") continue;
          const [mac, text = ""] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
          if (mac !== (await macOf(text))) onStrange(number);
          else yield JSON.parse(text) as JournaledRevocation;
        }
      } finally {
        await file.close();
      }
    },
  };
}
