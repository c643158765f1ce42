import { readFile, rename, writeFile } from "node:fs/promises";
import { sameMac } from "../records/record-mac.ts";
import { boundData } from "./key-place.ts";
import type { Vault } from "./vault.ts";

/** A small file of the state folder, with a MAC over what it says: whoever owns the database has no hand in it. */
export interface StateNote<T> {
  /** What it says; "not ours" where this vault has not written it, undefined where there is none. */
  read(): Promise<T | "not ours" | undefined>;
  /** Says this from now on: whole, or not at all. */
  keep(said: T): Promise<void>;
}

/** Where a note is, and what it is bound by. */
export interface StateNotePlace<T> {
  readonly path: string;
  /** Keeps the MAC of one kind of note from being taken for another's. */
  readonly domain: string;
  /** What it says, in the order in which its MAC has it. */
  readonly fields: readonly (keyof T & string)[];
  readonly vault: Pick<Vault, "authenticate">;
}

/** The note at a place; nothing is read before it is asked. */
export function stateNote<T extends { readonly [K in keyof T]: string | number }>({
  path,
  domain,
  fields,
  vault,
}: StateNotePlace<T>): StateNote<T> {
  const macOf = async (said: T): Promise<Uint8Array> => {
    const [mac] = await vault.authenticate([boundData(domain, ...fields.map((field) => String(said[field])))]);
    return mac as Uint8Array;
  };
  return {
    read: async () => {
      try {
        const stored = JSON.parse(await readFile(path, "utf8")) as T & { readonly mac: string };
        const said = Object.fromEntries(fields.map((field) => [field, stored[field]])) as unknown as T;
        return sameMac(await macOf(said), Buffer.from(stored.mac, "hex")) ? said : "not ours";
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        if (error instanceof SyntaxError || error instanceof TypeError) return "not ours";
        throw error;
      }
    },
    keep: async (said) => {
      const mac = Buffer.from(await macOf(said)).toString("hex");
      await writeFile(`${path}.new`, JSON.stringify({ ...said, mac }), { mode: 0o600, flush: true });
      await rename(`${path}.new`, path);
    },
  };
}
