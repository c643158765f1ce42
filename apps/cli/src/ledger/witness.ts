import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  folderSigner,
  folderWitnessMemory,
  keysFromJson,
  keysJson,
  LedgerWitness,
  listenAsWitness,
  type WitnessAddress,
} from "@meterkeep/ledger";
import { CliError } from "../error.ts";
import { fileContent, fileText } from "../named-file.ts";
import { type Terminal, write } from "../terminal.ts";
import type { WitnessOptions } from "./run.ts";

/** `meterkeep ledger witness`: runs until it is interrupted. */
export async function runWitness(options: WitnessOptions, terminal: Terminal): Promise<void> {
  const { folder, name } = options;
  const signer = await folderSigner(folder);
  const memory = folderWitnessMemory(join(folder, "ledgers"));
  for (const file of options.trust ?? []) {
    const { log, keys } = fileContent(file, "holds no keys of a ledger", (text) => {
      const value = JSON.parse(text) as { readonly log: string };
      return { log: value.log, keys: keysFromJson(value) };
    });
    // What is known already has keys that may be newer than the file's.
    if ((await memory.get(log)) === undefined) await memory.put({ log, keys, note: undefined });
  }
  const witness = new LedgerWitness(name, memory, signer);
  const keys = join(folder, "witness.json");
  writeFileSync(keys, `${JSON.stringify({ name, ...keysJson(witness.keys) })}\n`);
  const address = addressOf(options);
  // A socket that a killed witness has left behind.
  if (address.kind === "unix") rmSync(address.path, { force: true });
  const server = await listenAsWitness(witness, address);
  await write(terminal.stdout, `Witness ${name} listens on ${options.listen}. Its public keys are in ${keys}.\n`);
  if (!terminal.interrupted.aborted) await once(terminal.interrupted, "abort");
  server.close();
  server.closeAllConnections();
}

function addressOf({ listen, certificate, privateKey }: WitnessOptions): WitnessAddress {
  if (listen.startsWith("unix:")) return { kind: "unix", path: listen.slice("unix:".length) };
  const url = URL.parse(listen);
  if (url?.protocol !== "https:" || certificate === undefined || privateKey === undefined)
    throw new CliError(
      "option-invalid",
      "--listen is unix:/path, or https://host:port with --certificate and --private-key",
    );
  return {
    kind: "https",
    host: url.hostname,
    port: Number(url.port || 443),
    certificate: fileText(certificate),
    privateKey: fileText(privateKey),
  };
}
