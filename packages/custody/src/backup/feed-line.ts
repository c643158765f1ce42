import { createHash } from "node:crypto";

// One line of the change feed: a digest against torn lines, then JSON in which octets, maps and long integers are told by a member.

const DIGEST_HEX = 16;

/** A change as a line, without its line feed. */
export function feedLine(change: object): string {
  const body = JSON.stringify(change, written);
  return `${digestOf(body)} ${body}`;
}

/** The change of a line; undefined where it is torn. */
export function feedChange(line: string): unknown {
  const body = line.slice(DIGEST_HEX + 1);
  if (line.slice(0, DIGEST_HEX) !== digestOf(body)) return undefined;
  return JSON.parse(body, read) as unknown;
}

function written(this: unknown, name: string, value: unknown): unknown {
  // A Buffer has turned itself into something else by now: the holder still has it.
  const own = (this as Readonly<Record<string, unknown>>)[name];
  if (own instanceof Uint8Array) return { $octets: Buffer.from(own).toString("base64") };
  if (own instanceof Map) return { $map: [...own] };
  if (typeof own === "bigint") return { $integer: own.toString() };
  return value;
}

function read(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("$octets" in value) return new Uint8Array(Buffer.from(value.$octets as string, "base64"));
  if ("$integer" in value) return BigInt(value.$integer as string);
  if ("$map" in value) return new Map(value.$map as [unknown, unknown][]);
  return value;
}

/** Against torn lines, not against people: rows and ledger say themselves whether they were changed. */
function digestOf(body: string): string {
  return createHash("sha256").update(body).digest("hex").slice(0, DIGEST_HEX);
}
