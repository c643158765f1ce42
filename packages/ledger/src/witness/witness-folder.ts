import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { keysFromJson, keysJson } from "../checkpoint/keys.ts";
import { generateSignerSecret, type LedgerSigner, softwareSigner } from "../checkpoint/signer.ts";
import type { WitnessedLedger, WitnessMemory } from "./ledger-witness.ts";

/** A witness's memory in a folder: one file a ledger, replaced durably. */
export function folderWitnessMemory(folder: string): WitnessMemory {
  const fileOf = (log: string) => join(folder, `${createHash("sha256").update(log).digest("hex")}.json`);
  return {
    get: async (log) => {
      const text = await readOptional(fileOf(log));
      if (text === undefined) return undefined;
      const { keys, note } = JSON.parse(text) as { readonly keys: unknown; readonly note?: string };
      return { log, keys: keysFromJson(keys), note };
    },
    put: async ({ log, keys, note }: WitnessedLedger) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await replaceDurably(folder, fileOf(log), JSON.stringify({ log, keys: keysJson(keys), note }));
    },
  };
}

/** The witness's own signer: keys made at first use, in a file of mode 0600. */
export async function folderSigner(folder: string): Promise<LedgerSigner> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "witness.key");
  const stored = await readOptional(path);
  if (stored !== undefined) {
    const { ecdsa, mldsa } = JSON.parse(stored) as { readonly ecdsa: string; readonly mldsa: string };
    return softwareSigner(1, { ecdsa: Buffer.from(ecdsa, "base64"), mldsa: Buffer.from(mldsa, "base64") });
  }
  const secret = generateSignerSecret();
  const base64 = (der: Uint8Array): string => Buffer.from(der).toString("base64");
  await replaceDurably(folder, path, JSON.stringify({ ecdsa: base64(secret.ecdsa), mldsa: base64(secret.mldsa) }));
  return softwareSigner(1, secret);
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function replaceDurably(folder: string, path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(`${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  const directory = await open(folder, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
