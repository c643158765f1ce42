import { createHash, createHmac, randomBytes } from "node:crypto";
import { CliError } from "../error.ts";
import { joinShares, type Share, splitSecret } from "./shamir.ts";

/** A share as a person keeps it. */
export interface ShareFile {
  readonly format: "meterkeep-share-1";
  readonly ceremony: string;
  readonly purpose: string;
  readonly index: number;
  readonly shares: number;
  readonly threshold: number;
  /** Hex. */
  readonly octets: string;
}

/** What happened, in order: nothing in it helps to find the secret. */
export type Step =
  | { readonly step: "begun"; readonly at: string; readonly shares: number; readonly threshold: number }
  | { readonly step: "handed-out"; readonly at: string; readonly index: number; readonly to: string }
  /** HMAC-SHA-384 of the round's nonce under each share: whoever says so has had it in hand then. */
  | {
      readonly step: "verified";
      readonly at: string;
      readonly nonce: string;
      readonly proofs: Readonly<Record<string, string>>;
    }
  | { readonly step: "finished" | "aborted"; readonly at: string };

/**
 * A key ceremony: a secret is split, each share goes to a person, every one of them is brought back and proven in a second
 * round, and only then may anything old die.
 *
 * States: *handing out* (some shares are still `held`), *verifying* (all are with people, not all proven), *proven* (each was
 * brought back, and enough at once gave the secret), *finished*, *aborted*. Each command is one step, written whole before
 * anything is removed: whatever is interrupted is done again.
 */
export interface Ceremony {
  readonly format: "meterkeep-ceremony-1";
  readonly id: string;
  readonly purpose: string;
  readonly shares: number;
  readonly threshold: number;
  /** HMAC-SHA-384 under the secret: tells the right one again. */
  readonly checkValue: string;
  /** SHA-384 of each share, in order. */
  readonly commitments: readonly string[];
  /** Shares that nobody has yet, hex by index. */
  readonly held: Readonly<Record<string, string>>;
  /** Indices that were brought back. */
  readonly proven: readonly number[];
  /** Whether enough of them together gave the secret. */
  readonly joined: boolean;
  readonly transcript: readonly Step[];
}

export type CeremonyState = "handing out" | "verifying" | "proven" | "finished" | "aborted";

/** Where a ceremony stands. */
export function stateOf({ transcript, held, proven, shares, joined }: Ceremony): CeremonyState {
  const last = transcript.at(-1)?.step;
  if (last === "finished" || last === "aborted") return last;
  if (Object.keys(held).length > 0) return "handing out";
  return proven.length === shares && joined ? "proven" : "verifying";
}

/** Splits a secret. */
export function begin(
  secret: Uint8Array,
  { purpose, shares, threshold }: Pick<Ceremony, "purpose" | "shares" | "threshold">,
  at: string,
): Ceremony {
  const parts = splitSecret(secret, shares, threshold, (octets) => randomBytes(octets));
  return {
    format: "meterkeep-ceremony-1",
    id: randomBytes(8).toString("hex"),
    purpose,
    shares,
    threshold,
    checkValue: checkValueOf(secret),
    commitments: parts.map(commitmentOf),
    held: Object.fromEntries(parts.map(({ index, octets }) => [index, hex(octets)])),
    proven: [],
    joined: false,
    transcript: [{ step: "begun", at, shares, threshold }],
  };
}

/** A share for a person. */
export function shareFor({ id, purpose, shares, threshold, held }: Ceremony, index: number): ShareFile {
  const octets = held[index];
  if (octets === undefined) throw new CliError("option-invalid", `share ${index} was handed out, or there is none`);
  return { format: "meterkeep-share-1", ceremony: id, purpose, index, shares, threshold, octets };
}

/** That share is with its person: it is held here no more. */
export function handedOut(ceremony: Ceremony, index: number, to: string, at: string): Ceremony {
  const { [index]: _, ...held } = ceremony.held;
  return { ...ceremony, held, transcript: [...ceremony.transcript, { step: "handed-out", at, index, to }] };
}

/** Shares were brought back: each is one that was made here, and enough of them give the secret. @throws CliError */
export function verified(ceremony: Ceremony, files: readonly ShareFile[], at: string): Ceremony {
  if (stateOf(ceremony) === "handing out") throw new CliError("option-invalid", "not every share has been handed out");
  const parts = files.map((file) => partOf(ceremony, file));
  const nonce = randomBytes(24).toString("hex");
  const proofs = Object.fromEntries(
    parts.map(({ index, octets }) => [index, createHmac("sha384", octets).update(nonce).digest("hex")]),
  );
  let { joined } = ceremony;
  if (parts.length >= ceremony.threshold) {
    joinSecret(ceremony, files).fill(0);
    joined = true;
  }
  const proven = [...new Set([...ceremony.proven, ...parts.map(({ index }) => index)])].sort((a, b) => a - b);
  return { ...ceremony, proven, joined, transcript: [...ceremony.transcript, { step: "verified", at, nonce, proofs }] };
}

/** The secret from enough shares. @throws CliError `input-unreadable` where they give another one. */
export function joinSecret(
  ceremony: Pick<Ceremony, "checkValue" | "threshold">,
  files: readonly ShareFile[],
): Uint8Array {
  if (files.length < ceremony.threshold)
    throw new CliError("option-invalid", `it takes ${ceremony.threshold} shares, and ${files.length} were named`);
  const secret = joinShares(files.map(({ index, octets }) => ({ index, octets: Buffer.from(octets, "hex") })));
  if (checkValueOf(secret) !== ceremony.checkValue)
    throw new CliError("input-unreadable", "these shares do not give the secret of this ceremony");
  return secret;
}

/** Ends a ceremony whose shares are all proven. @throws CliError `option-invalid` */
export function finished(ceremony: Ceremony, at: string): Ceremony {
  if (stateOf(ceremony) !== "proven")
    throw new CliError(
      "option-invalid",
      `the ceremony is ${stateOf(ceremony)}: every share is brought back once, and ${ceremony.threshold} together, before it ends`,
    );
  return { ...ceremony, transcript: [...ceremony.transcript, { step: "finished", at }] };
}

/** Gives a ceremony up: what is still held is forgotten, what people have is of no use alone. */
export function aborted(ceremony: Ceremony, at: string): Ceremony {
  if (["finished", "aborted"].includes(stateOf(ceremony)))
    throw new CliError("option-invalid", `the ceremony is ${stateOf(ceremony)}`);
  return { ...ceremony, held: {}, transcript: [...ceremony.transcript, { step: "aborted", at }] };
}

/** What is said of a ceremony to everybody, and its SHA-384 for the ledger. */
export function transcriptOf(ceremony: Ceremony): { readonly text: string; readonly hash: string } {
  const { held: _, ...open } = ceremony;
  const text = `${JSON.stringify(open, undefined, 2)}\n`;
  return { text, hash: createHash("sha384").update(text).digest("hex") };
}

function partOf({ id, commitments }: Ceremony, file: ShareFile): Share {
  const part = { index: file.index, octets: new Uint8Array(Buffer.from(file.octets, "hex")) };
  if (file.ceremony !== id || commitments[file.index - 1] !== commitmentOf(part))
    throw new CliError("input-unreadable", `share ${file.index} is not the one that was made in this ceremony`);
  return part;
}

function commitmentOf({ index, octets }: Share): string {
  return createHash("sha384").update(`meterkeep-share-1/${index}/`).update(octets).digest("hex");
}

function checkValueOf(secret: Uint8Array): string {
  return createHmac("sha384", secret).update("meterkeep-ceremony-1").digest("hex");
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}
