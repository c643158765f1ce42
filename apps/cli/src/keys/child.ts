import { fromHex, systemTitle } from "@meterkeep/dlms";
import { CliError } from "../error.ts";
import { secretText } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { sealChildKey } from "../operator/seal-keys.ts";
import { type Terminal, write } from "../terminal.ts";
import { asOperator } from "./operator.ts";

export type ChildOptions = OperatorOptions & { readonly channel: string; readonly defaultKey: string };

const MOST_CHANNELS = 8;

/** `meterkeep keys child` */
export async function child(meter: string, options: ChildOptions, terminal: Terminal): Promise<void> {
  const channel = Number(options.channel);
  if (!Number.isInteger(channel) || channel < 1 || channel > MOST_CHANNELS)
    throw new CliError("option-invalid", `--channel must be 1 to ${MOST_CHANNELS}, not ${options.channel}`);
  const title = meter.replace(/[\s:-]/g, "").toUpperCase();
  if (!/^[0-9A-F]{16}$/.test(title)) throw new CliError("option-invalid", `"${meter}" is no system title`);
  const key = keyIn(options.defaultKey);
  try {
    const answer = await asOperator(options.state, terminal, async (custodian) => {
      const { recipient } = await custodian.status({});
      const to = {
        keyId: recipient.keyId,
        ecdhPublicKey: Buffer.from(recipient.ecdh).toString("base64url"),
        mlkemPublicKey: Buffer.from(recipient.mlkem).toString("base64url"),
      };
      const sealed = JSON.stringify(sealChildKey(key, channel, title, to));
      return custodian.installChild({ meter: systemTitle(fromHex(title)), sealed });
    });
    const { planned, warning } = answer;
    const weak = warning === undefined ? "" : ` Its default key ${warning}.`;
    const when = planned ? "a rotation is planned that gives" : "a rotation is under way; the next one gives";
    const said = `The device at channel ${channel} of ${title} is known; ${when} it and its meter a key.${weak}\n`;
    await write(terminal.stdout, options.json === true ? `${JSON.stringify(answer)}\n` : said);
  } finally {
    key.fill(0);
  }
}

/** @throws CliError `key-file-invalid`, `input-unreadable`, `file-not-private` */
function keyIn(file: string): Uint8Array {
  const text = secretText(file).replace(/\s/g, "");
  if (!/^[0-9A-Fa-f]{32}$/.test(text)) throw new CliError("key-file-invalid", `${file} has no 32 hex digits`);
  return fromHex(text);
}
