import { type DepartedMeters, type Departure, MAX_DEPARTING_METERS } from "@meterkeep/api/custodian";
import { fromHex, type SystemTitle, systemTitle } from "@meterkeep/dlms";
import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { fileContent, writeGiven } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { type Terminal, write } from "../terminal.ts";

/** The transfer is sealed to who gets the meters, and what says who sent it is public. */
const READABLE = 0o644;

export type DepartOptions = OperatorOptions & {
  readonly reason: string;
  /** `recipient.json` of who gets the meters. */
  readonly recipient?: string;
  readonly to?: string;
  readonly sender?: string;
  readonly flag?: string;
  readonly output?: string;
};

/** `meterkeep meter retire`, `transfer`, `return`: the custodian's operator asks, and people approve. */
export async function depart(
  how: Departure,
  titles: readonly string[],
  options: DepartOptions,
  terminal: Terminal,
): Promise<void> {
  const meters = titles.map(titleOf);
  if (meters.length === 0 || meters.length > MAX_DEPARTING_METERS)
    throw new CliError("option-invalid", `name 1 to ${MAX_DEPARTING_METERS} meters`);
  const recipient = how === "retired" ? undefined : recipientIn(options);
  const sender = { flag: options.flag ?? "", name: options.sender ?? "" };
  if (recipient !== undefined && (!/^[A-Z]{3}$/.test(sender.flag) || sender.name === ""))
    throw new CliError("option-invalid", "--sender and --flag (three letters) say who sends the meters on");
  const { reason } = options;
  const ask = () =>
    asOperator(options.state, terminal, (custodian) =>
      custodian.departMeters({ meters, how, reason, sender, recipient }),
    );
  const answer =
    recipient === undefined || options.output === undefined
      ? await ask()
      : await intoFiles(options.output, ask, sender);
  const { transfer } = answer;
  const words = { retired: "retired", transferred: "given to another owner", returned: "given back" }[how];
  const where = transfer === undefined ? "" : ` Their keys are in ${options.output}, for its recipient alone.`;
  const { departed } = answer;
  const text = options.json === true ? `${JSON.stringify({ departed, shipment: transfer?.shipment })}\n` : undefined;
  await write(terminal.stdout, text ?? `${departed} meters are ${words}; their keys are used no more here.${where}\n`);
}

/** Both files have their place before the meters leave: no transfer is made that cannot be written. */
function intoFiles(
  output: string,
  ask: () => Promise<DepartedMeters>,
  sender: { readonly flag: string; readonly name: string },
): Promise<DepartedMeters> {
  const withSender = () =>
    writeGiven(
      `${output}.sender.json`,
      ask,
      ({ transfer }) => (transfer === undefined ? "" : senderText(transfer, sender)),
      READABLE,
    );
  return writeGiven(output, withSender, ({ transfer }) => transfer?.file ?? "", READABLE);
}

function recipientIn({ recipient, to, output }: DepartOptions) {
  if (recipient === undefined || to === undefined || output === undefined)
    throw new CliError(
      "option-invalid",
      "--recipient, --to and --output say who gets the meters, and where the file goes",
    );
  const { ecdhPublicKey, mlkemPublicKey } = fileContent(
    recipient,
    "is no recipient.json",
    (text) => JSON.parse(text) as { readonly ecdhPublicKey?: unknown; readonly mlkemPublicKey?: unknown },
  );
  if (typeof ecdhPublicKey !== "string" || typeof mlkemPublicKey !== "string")
    throw new CliError("input-unreadable", `${recipient} lacks ecdhPublicKey or mlkemPublicKey`);
  const octets = (text: string) => new Uint8Array(Buffer.from(text, "base64url"));
  return { name: to, ecdhPublicKey: octets(ecdhPublicKey), mlkemPublicKey: octets(mlkemPublicKey) };
}

/** For the new owner's `var/manufacturers`, after a comparison by another way. */
function senderText(
  { ecdsaPublicKey, mldsaPublicKey }: NonNullable<DepartedMeters["transfer"]>,
  sender: { readonly flag: string; readonly name: string },
): string {
  const base64 = (octets: Uint8Array) => Buffer.from(octets).toString("base64url");
  return JSON.stringify({
    ...sender,
    ecdsaPublicKey: base64(ecdsaPublicKey),
    mldsaPublicKey: base64(mldsaPublicKey),
  });
}

function titleOf(text: string): SystemTitle {
  if (!/^[0-9A-Fa-f]{16}$/.test(text))
    throw new CliError("option-invalid", `"${text}" is no system title of 16 hex digits`);
  return systemTitle(fromHex(text));
}
