import type { Command } from "commander";
import type { KeyOptions } from "../decode/keys.ts";

/** How somebody means to be let in by a meter, as it stands on the command line. */
export interface AccessOptions extends Omit<KeyOptions, "broadcastKey"> {
  readonly profile?: string;
  readonly link?: string;
  readonly physical?: string;
  readonly client?: string;
  readonly server?: string;
  readonly mechanism?: string;
  readonly password?: string;
  readonly signingKey?: string;
  readonly meterSigning?: string;
  readonly suite?: string;
  readonly protection?: string;
  readonly form?: string;
  readonly meter?: string;
  readonly systemTitle?: string;
  readonly counter?: string;
  readonly timeout?: string;
}

/** Adds the options to a command that associates with a meter. */
export function addAccessOptions(command: Command): Command {
  return command
    .option("--profile <id|file>", "kind of meter: idis-p2, dsmr-5, is15959 …, or a file; sets what follows")
    .option("--link <name>", "wrapper or hdlc: what travels over the connection")
    .option("--physical <number>", "physical device of an HDLC address")
    .option("--client <name|sap>", "client; the public one (16) unless there are keys or a password")
    .option("--server <sap>", "logical device")
    .option(
      "--mechanism <name>",
      "none, low, md5, sha1, gmac, sha256 or ecdsa; gmac where there are keys, low with a password",
    )
    .option("--password <text>", "password or HLS secret, 0x… as hex; - reads it from standard input")
    .option("--signing-key <file>", "our private signing key, PEM, for mechanism ecdsa")
    .option("--meter-signing <file>", "the meter's public signing key or its certificate, PEM")
    .option("--key <hex>", "encryption key, for test keys: it shows in the process list; - reads standard input")
    .option("--auth-key <hex>", "authentication key")
    .option("--key-file <file>", "JSON file of keys, by meter or for all")
    .option("--meter <title>", "system title of the meter, to find its keys in the file and to accept no other")
    .option("--suite <number>", "security suite 0, 1 or 2; 2 with keys of 64 digits, else 0")
    .option("--protection <what>", "authenticated-encrypted, authenticated or encrypted", "authenticated-encrypted")
    .option("--form <name>", "global, general-global, dedicated or general-dedicated")
    .option("--system-title <hex>", "title of this client; one is made for this machine and kept")
    .option("--counter <number>", "lowest invocation counter to use; else the meter is asked, and its word is kept")
    .option("--timeout <seconds>", "how long to wait for each answer", "10");
}
