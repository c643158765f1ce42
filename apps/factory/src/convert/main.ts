import { createReadStream, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { FactoryError } from "../errors.ts";
import { parseRecipient } from "../recipient.ts";
import { convert } from "./convert.ts";
import { csvRows } from "./csv.ts";
import { kemRows } from "./kem.ts";
import { parseMapping } from "./mapping.ts";
import { SourceError } from "./source-row.ts";

// `meterkeep shipment convert` runs this: the keys of other people's files are in this process alone.

try {
  await main();
} catch (error) {
  if (!(error instanceof FactoryError || error instanceof SourceError || error instanceof TypeError)) throw error;
  process.stderr.write(`meterkeep: ${error.message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      from: { type: "string" },
      mapping: { type: "string" },
      recipient: { type: "string", multiple: true },
      signing: { type: "string" },
      sender: { type: "string" },
      flag: { type: "string" },
      customer: { type: "string" },
      kind: { type: "string" },
      output: { type: "string" },
      "password-file": { type: "string" },
      json: { type: "boolean" },
    },
  });
  const [source] = positionals;
  const needed = (name: "from" | "mapping" | "signing" | "sender" | "flag" | "customer" | "kind" | "output") => {
    const value = values[name];
    if (value === undefined) throw new FactoryError("factory-source-refused", `--${name} is needed`);
    return value;
  };
  if (source === undefined) throw new FactoryError("factory-source-refused", "a file to convert is needed");
  const mapping = parseMapping(readFileSync(needed("mapping"), "utf8"));
  if (typeof mapping === "string") throw new FactoryError("factory-source-refused", `${needed("mapping")}: ${mapping}`);
  const from = needed("from");
  const kind = needed("kind");
  const flag = needed("flag");
  if (from !== "csv" && from !== "kem") throw new FactoryError("factory-source-refused", "--from is csv or kem");
  if (kind !== "delivery" && kind !== "fleet")
    throw new FactoryError("factory-source-refused", "--kind is delivery or fleet");
  if (!/^[A-Z]{3}$/.test(flag)) throw new FactoryError("factory-source-refused", "--flag is three letters");
  const rows =
    from === "csv"
      ? () => csvRows(createReadStream(source, { encoding: "utf8" }) as AsyncIterable<string>, mapping.separator)
      : kemSource(source, values["password-file"]);
  const converted = await convert({
    rows,
    mapping,
    recipients: (values.recipient ?? []).map((path) => parseRecipient(readFileSync(path, "utf8"))),
    signingDirectory: needed("signing"),
    sender: { flag, name: needed("sender") },
    customer: needed("customer"),
    kind,
    output: needed("output"),
    now: () => new Date(),
  });
  const told = converted.created
    ? `\nIts signing keys are new: give ${needed("signing")}/manufacturer.json to the owner of the custodian.`
    : "";
  process.stdout.write(
    values.json === true
      ? `${JSON.stringify(converted)}\n`
      : `${converted.meters} meters are in ${needed("output")}, sealed and signed.${told}\n`,
  );
}

function kemSource(source: string, passwordFile: string | undefined) {
  if (passwordFile === undefined)
    throw new FactoryError("factory-source-refused", "--password-file is needed for a .kem file");
  const rows = kemRows(readFileSync(source, "utf8"), readFileSync(passwordFile, "utf8").replace(/\r?\n$/, ""));
  return () => rows;
}
