import { mkdir, open } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { IslandCut, JournaledRevocation, RevocationPlan } from "@meterkeep/pki";
import type { Vault } from "../vault/vault.ts";

/** Its name is from when revocations were all that it held. */
const FILE = "revocations.jsonl";

/** What nobody may take back by changing the database: a line each. */
export type TrustLine =
  | (JournaledRevocation & { readonly kind?: undefined })
  /** An authority issues nothing from here on: somebody is revoking it. */
  | { readonly kind: "held"; readonly at: number; readonly plan: RevocationPlan }
  | {
      readonly kind: "cut";
      readonly at: number;
      readonly plan: string;
      readonly places: readonly Pick<IslandCut, "utility" | "island">[];
    }
  | { readonly kind: "lifted"; readonly at: number; readonly plan: string }
  /** A table of assignments was signed: its octets, base64, so that it outlives its row. Lines of before 2026-11 lack them. */
  | { readonly kind: "table"; readonly at: number; readonly number: number; readonly octets?: string }
  /** A plan was taken back before it began: its authority issues again. */
  | { readonly kind: "withdrawn"; readonly at: number; readonly plan: string }
  /** A one-time password of enrolment was used up: its hash, hex. */
  | { readonly kind: "password-used"; readonly at: number; readonly hash: string }
  /** Nothing was issued for it: it is good again. */
  | { readonly kind: "password-returned"; readonly at: number; readonly hash: string };

/** What may not be taken back, as it lies beside the database: a database from a backup is told all of it again. */
export interface TrustJournal {
  append(line: TrustLine): Promise<void>;
  /** Everything whose line is whole and was written by this vault; the others are counted. */
  read(onStrange: (line: number) => void): AsyncGenerator<TrustLine>;
}

/**
 * A file in the directory of the escrow, which should lie on other storage than the database: one line of JSON each, with
 * a MAC of the vault, so that nobody who can write there revokes anything.
 */
export async function openTrustJournal(directory: string, vault: Vault): Promise<TrustJournal> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = `${directory}/${FILE}`;
  await (await open(path, "a", 0o600)).close();
  const macOf = async (text: string): Promise<string> => {
    const [mac] = await vault.authenticate([Buffer.from(`meterkeep-revocation-1/${text}`)]);
    return Buffer.from(mac!).toString("base64");
  };
  let turn: Promise<unknown> = Promise.resolve();
  return {
    append: (line) => {
      const written = turn.then(async () => {
        const text = JSON.stringify(line);
        // A line that a dying machine cut short ends here: the next one stands alone.
        const octets = `\n${await macOf(text)} ${text}\n`;
        const file = await open(path, "a");
        try {
          await file.appendFile(octets);
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
          else yield JSON.parse(text) as TrustLine;
        }
      } finally {
        await file.close();
      }
    },
  };
}

/** Of what a journal holds, the revocations. */
export async function* revocationsOf(lines: AsyncIterable<TrustLine>): AsyncGenerator<JournaledRevocation> {
  for await (const line of lines) if (line.kind === undefined) yield line;
}
