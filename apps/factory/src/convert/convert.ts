import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FactoryError } from "../errors.ts";
import { writeDurably } from "../private-file.ts";
import type { Recipient } from "../recipient.ts";
import { ShipmentWriter } from "../shipment-writer.ts";
import { openSigningKeys } from "../signing-keys.ts";
import { type MappedMeter, type Mapping, mapped } from "./mapping.ts";
import { SourceError, type SourceRow } from "./source-row.ts";

/** What is to be converted, and into what. */
export interface Conversion {
  /** The rows of the source, from its beginning at every call. */
  readonly rows: () => AsyncIterable<SourceRow> | Iterable<SourceRow>;
  readonly mapping: Mapping;
  readonly recipients: readonly Recipient[];
  /** Where the signing keys of whoever converts lie, or are made. */
  readonly signingDirectory: string;
  /** Who vouches for the file: its name, and the letters of its FLAG id. */
  readonly sender: { readonly name: string; readonly flag: string };
  readonly customer: string;
  /** New meters, or a fleet that is in service. */
  readonly kind: "delivery" | "fleet";
  /** Path of the shipment, which must not exist yet. */
  readonly output: string;
  readonly now: () => Date;
}

/** What came of it. */
export interface Converted {
  readonly shipment: string;
  readonly meters: number;
  readonly keyId: string;
  /** Whether the signing keys were made: custodians must be told of them. */
  readonly created: boolean;
}

/** How many refused lines are named. */
const MOST_NAMED = 100;

/**
 * Turns somebody else's list of meters into a shipment, sealed and signed like any other.
 *
 * The source is read twice: everything is checked before anything is written, and every line that cannot be taken is named.
 *
 * @throws FactoryError `factory-source-refused` with the lines.
 */
export async function convert(conversion: Conversion): Promise<Converted> {
  const { mapping, recipients, signingDirectory, sender, customer, kind, output, now, rows } = conversion;
  const count = await checked(conversion);
  mkdirSync(signingDirectory, { recursive: true, mode: 0o700 });
  const { keys: signing, created } = openSigningKeys(signingDirectory);
  writeDurably(join(signingDirectory, "manufacturer.json"), publicKeysText(signing, sender), 0o644);
  const part = `${output}.part`;
  rmSync(part, { force: true });
  const details = { manufacturer: sender, customer, count, created: now().toISOString(), kind };
  const writer = new ShipmentWriter(part, details, recipients, signing);
  try {
    for await (const row of rows()) {
      const meter = mapped(row, mapping, [sender.name]);
      if (typeof meter === "string") throw refused([`line ${row.line}: ${meter}`], 1);
      writer.add(meter.meter, meter.keys, { secrets: ordered(meter), counter: meter.counter });
      wipe(meter);
    }
    writer.finish();
  } catch (error) {
    writer.abandon();
    rmSync(part, { force: true });
    throw error;
  }
  renameSync(part, output);
  return { shipment: writer.shipment, meters: count, keyId: signing.keyId, created };
}

/** Looks at every line. Gives how many meters there are. */
async function checked({ rows, mapping, kind, sender }: Conversion): Promise<number> {
  const titles = new Map<string, number>();
  const wrong: string[] = [];
  let [count, refusals] = [0, 0];
  const refuse = (line: number, why: string) => {
    refusals += 1;
    if (wrong.length < MOST_NAMED) wrong.push(`line ${line}: ${why}`);
  };
  try {
    for await (const row of rows()) {
      count += 1;
      const meter = mapped(row, mapping, [sender.name]);
      if (typeof meter === "string") {
        refuse(row.line, meter);
        continue;
      }
      const why = objectionTo(meter, kind, titles.get(meter.meter.systemTitle));
      titles.set(meter.meter.systemTitle, row.line);
      if (why !== undefined) refuse(row.line, `meter ${meter.meter.systemTitle}: ${why}`);
      wipe(meter);
    }
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    refuse(error.line, error.message);
  }
  if (refusals > 0) throw refused(wrong, refusals);
  if (count === 0) throw refused(["there is no meter in it"], 1);
  return count;
}

function objectionTo({ keys, counter }: MappedMeter, kind: Conversion["kind"], before: number | undefined) {
  if (before !== undefined) return `it stands in line ${before} already`;
  if (kind === "fleet") return undefined;
  if (counter !== undefined) return "new meters have used no counter: is it a fleet?";
  return Object.keys(keys).length === 4 ? undefined : "a new meter brings all four keys: is it a fleet?";
}

/** The secrets in the order of a key block. */
function ordered({ secrets }: MappedMeter) {
  return [...secrets].sort((one, other) => one.client - other.client);
}

function wipe({ keys, secrets }: MappedMeter): void {
  for (const octets of [...Object.values(keys), ...secrets.map((secret) => secret.octets)]) octets.fill(0);
}

function refused(lines: readonly string[], refusals: number): FactoryError {
  const more = refusals > lines.length ? `\n… and ${refusals - lines.length} more` : "";
  return new FactoryError(
    "factory-source-refused",
    `Nothing was written. Mend these lines, or the mapping:\n${lines.join("\n")}${more}`,
  );
}

function publicKeysText(
  { ecdsaPublicKey, mldsaPublicKey, keyId }: ReturnType<typeof openSigningKeys>["keys"],
  sender: Conversion["sender"],
): string {
  return JSON.stringify({
    ...sender,
    keyId,
    ecdsaPublicKey: Buffer.from(ecdsaPublicKey).toString("base64url"),
    mldsaPublicKey: Buffer.from(mldsaPublicKey).toString("base64url"),
  });
}
