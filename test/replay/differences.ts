import { type Aare, acseApdu, decode, equalBytes, type PlainApdu } from "@meterkeep/dlms";
import { type OpenedApdu, plainIn } from "./opened.ts";
import { proofCounter } from "./proof.ts";

/** An answer of ours that is not the recorded one to the octet. */
export interface Pair {
  readonly recorded: OpenedApdu;
  readonly expected: OpenedApdu;
  readonly answer: Uint8Array | undefined;
  /** Our answer without its ciphering. */
  readonly inner: Uint8Array | undefined;
  /** The recorded client could make nothing of the recorded answer. */
  readonly failed: boolean;
  /** What the recorded server agreed on. */
  readonly conformance: readonly string[];
}

/** Why the recorded answer does not determine ours; undefined where it does, and ours is wrong. */
export function differenceOf({ recorded, expected, answer, inner, failed, conformance }: Pair): string | undefined {
  const tag = expected.octets[0];
  if (tag === 0x63) return answer?.[0] === 0x63 ? "lengths and fields of its release response" : undefined;
  if (tag === 0x61 && answer?.[0] === 0x61) return aareDifference(expected.octets, answer);
  const theirs = plainIn(expected.inner);
  const ours = plainIn(inner);
  if (theirs !== undefined && ours !== undefined) {
    const difference = plainDifference(recorded, expected, theirs, ours, inner);
    if (difference !== undefined) return difference;
  }
  if (theirs !== undefined && isUnfinished(theirs) && ours === undefined) return "it is broken off within a value";
  if (recorded.octets[0] === 0x62 && tag === 0xd8) return "it refuses to release";
  if (!isAgreed(recorded.inner, conformance)) return "it serves what was not agreed on";
  if (typeof proofCounter(expected.inner) === "number" && typeof proofCounter(inner) === "number")
    return "its proof is wrong";
  if (failed) return "the recorded client could make nothing of this answer";
  if (ours?.kind === "exception-response" && recorded.inner === undefined)
    return "a request that none of the keys opens";
  if (theirs === undefined && expected.inner !== undefined) return "an answer that is no APDU";
  return undefined;
}

function plainDifference(
  recorded: OpenedApdu,
  expected: OpenedApdu,
  theirs: PlainApdu,
  ours: PlainApdu,
  inner: Uint8Array | undefined,
): string | undefined {
  if (theirs.kind === "exception-response" && ours.kind === "exception-response") {
    const same = theirs.value.serviceError.kind === ours.value.serviceError.kind;
    return same ? "another state error beside the same service error" : undefined;
  }
  const counter = proofCounter(expected.inner);
  if (counter === "signature") return "a signature is random";
  if (inner !== undefined && expected.inner !== undefined && equalBytes(inner, expected.inner)) {
    return expected.facts === undefined ? "it leaves its answer unprotected" : "it protects its answer otherwise";
  }
  if (isCut(theirs) && ours.kind === theirs.kind) return "it cuts short answers in blocks";
  const request = plainIn(recorded.inner);
  if (request === undefined) return "a request that is none";
  if (JSON.stringify(asText(theirs)) === JSON.stringify(asText(ours))) return "the same value in other octets";
  if (refusalOf(theirs) && refusalOf(ours) && request.kind !== "get-request") return "it refuses for another reason";
  return undefined;
}

function isAgreed(inner: Uint8Array | undefined, conformance: readonly string[]): boolean {
  const request = plainIn(inner);
  if (request?.kind !== "get-request") return true;
  if (request.value.kind === "with-list") return conformance.includes("multiple-references");
  return (
    request.value.kind !== "normal" ||
    request.value.value.access === undefined ||
    conformance.includes("selective-access")
  );
}

function isCut(apdu: PlainApdu): boolean {
  return apdu.kind === "get-response" && apdu.value.kind === "with-datablock";
}

/** A block that is not the last, of a value whose rest was not recorded. */
function isUnfinished(apdu: PlainApdu): boolean {
  return apdu.kind === "get-response" && apdu.value.kind === "with-datablock" && !apdu.value.value.block.lastBlock;
}

function refusalOf(apdu: PlainApdu): boolean {
  return apdu.kind === "exception-response" || apdu.kind === "confirmed-service-error";
}

/** An APDU as plain data, with octets as text. */
function asText(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(asText);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, asText(part)]));
}

function aareDifference(expected: Uint8Array, answer: Uint8Array): string | undefined {
  const theirs = aareIn(expected);
  const ours = aareIn(answer);
  if (theirs === undefined || ours === undefined || (theirs.result === "accepted") !== (ours.result === "accepted"))
    return undefined;
  if (theirs.result !== "accepted" && theirs.diagnostic.value !== ours.diagnostic.value)
    return "it gives another reason for refusing the association";
  return "other fields in its AARE";
}

function aareIn(octets: Uint8Array): Aare | undefined {
  const value = decode(acseApdu, octets);
  return value.kind === "aare" ? value.value : undefined;
}
