import { mkdir, open } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Vault } from "../vault/vault.ts";

/** Lines that only the vault's owner can have written, in a file that only grows. */
export interface AuthenticJournal<T> {
  /** Durable when the promise is kept. */
  append(...lines: readonly T[]): Promise<void>;
  /**
   * Everything that stood there when the reading began, whose line is whole and was written by this vault; the others are told
   * by their number. Who writes for each line that is read comes to an end.
   */
  read(onStrange: (line: number) => void): AsyncGenerator<T>;
}

/** Where a journal is. */
export interface JournalPlace {
  /** That of the escrow, which should lie on other storage than the database. */
  readonly directory: string;
  readonly file: string;
  /** Tells its lines from those of other journals. */
  readonly domain: string;
}

/** A file with one line of JSON each, with a MAC of the vault, so that nobody who can write there says anything. */
export async function openAuthenticJournal<T>(
  { directory, file, domain }: JournalPlace,
  vault: Pick<Vault, "authenticate">,
): Promise<AuthenticJournal<T>> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = `${directory}/${file}`;
  await (await open(path, "a", 0o600)).close();
  const macsOf = async (texts: readonly string[]): Promise<string[]> => {
    const macs = await vault.authenticate(texts.map((text) => Buffer.from(`${domain}/${text}`)));
    return macs.map((mac) => Buffer.from(mac).toString("base64"));
  };
  let turn: Promise<unknown> = Promise.resolve();
  return {
    append: (...lines) => {
      const written = turn.then(async () => {
        const texts = lines.map((line) => JSON.stringify(line));
        const macs = await macsOf(texts);
        // A line that a dying machine cut short ends here: the next one stands alone.
        const octets = texts.map((text, at) => `\n${macs[at]} ${text}\n`).join("");
        const handle = await open(path, "a");
        try {
          await handle.appendFile(octets);
          await handle.datasync();
        } finally {
          await handle.close();
        }
      });
      turn = written.catch(() => undefined);
      return written;
    },
    read: async function* (onStrange) {
      const handle = await open(path, "r");
      let number = 0;
      try {
        const { size } = await handle.stat();
        if (size === 0) return;
        const input = handle.createReadStream({ autoClose: false, end: size - 1 });
        for await (const line of createInterface({ input })) {
          number += 1;
          if (line === "") continue;
          const [mac, text = ""] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
          if (mac !== (await macsOf([text]))[0]) onStrange(number);
          else yield JSON.parse(text) as T;
        }
      } finally {
        await handle.close();
      }
    },
  };
}
