/**
 * `npm run gbcs -- CHECKOUT`: verifies the published test messages of Great Britain's companion specification with the
 * DLMS library, holds the certificates of its test PKI against our profiles, and prints the counts. CHECKOUT is a clone, or a bare git directory, of SmartDCCInnovation/gbcs-parser, whose
 * folder test/rtds holds messages and keys. Exit code 1 when anything fails that has its keys there.
 */
import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import {
  apdu,
  type Data,
  data,
  decode,
  encode,
  fromHex,
  GBCS_SECURITY,
  type GbcsMessage,
  openGbcsPayload,
  type ProtectedData,
  parseGbcsMessage,
  protectionParameters,
  type SystemTitle,
  toHex,
  verifyGbcsMac,
  verifySignedApdu,
} from "../packages/dlms/src/index.ts";
import { nodePlatform, publicKeyOctets } from "../packages/dlms-node/src/index.ts";
import { decodeCertificate, fromPem, lintCertificate, PROFILES } from "../packages/pki/src/index.ts";

/** Makes the MAC of commands, in the originator's place. */
const ACCESS_CONTROL_BROKER = "90b3d51f30000002";
/** Messages whose MAC keys are not in the set. */
const WITHOUT_PUBLISHED_KEYS = /^PCS0[12]_/;
/** One organisation's certificates name no authority key and last a hundred years. */
const ODD_CERTIFICATES = /^90b3d51f30010008-/;
const ACCESS_RESPONSE = 0xda;
const DATA_NOTIFICATION = 0x0f;

/** A count of what was tried and what held, with the names of what did not. */
interface Tally {
  tried: number;
  held: number;
  readonly failed: string[];
}

/** What the sweep found. */
export interface GbcsCounts {
  readonly messages: number;
  readonly signatures: Tally;
  readonly macs: Tally;
  readonly payloads: Tally;
  readonly certificates: Tally;
}

/** Verifies every message under a folder. */
export function sweep(folder: string): GbcsCounts {
  const keys = keyFolder(folder);
  const counts = {
    messages: 0,
    signatures: tally(),
    macs: tally(),
    payloads: tally(),
    certificates: certificates(folder),
  };
  for (const file of globSync("**/*.HEX", { cwd: folder }).sort()) {
    const name = basename(file, ".HEX");
    const message = parseGbcsMessage(fromHex(readFileSync(join(folder, file), "utf8")));
    counts.messages += 1;
    if (message.signed.signature.length > 0) count(counts.signatures, name, () => verifySignature(keys, message));
    if (message.authenticated !== undefined) count(counts.macs, name, () => verifyMac(keys, message));
    for (const payload of payloadsIn(message)) count(counts.payloads, name, () => decipher(keys, message, payload));
  }
  return counts;
}

function tally(): Tally {
  return { tried: 0, held: 0, failed: [] };
}

function count(counted: Tally, name: string, verify: () => void): void {
  counted.tried += 1;
  try {
    verify();
    counted.held += 1;
  } catch (error) {
    counted.failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function verifySignature(keys: Keys, { originator, signed }: GbcsMessage): void {
  const key = keys.publicKey(originator, "ds");
  if (key === undefined) throw new Error("the originator's certificate is not published");
  verifySignedApdu({ curves: nodePlatform.curves, suite: 1, profile: GBCS_SECURITY }, key, signed);
}

function verifyMac(keys: Keys, message: GbcsMessage): void {
  const maker = message.flag === "command" ? fromHex(ACCESS_CONTROL_BROKER) : message.originator;
  verifyGbcsMac(nodePlatform, agreementOf(keys, maker, message.recipient), message);
}

/** One private and one public key, whichever of the two parties' private keys is published. */
function agreementOf(keys: Keys, one: Uint8Array, other: Uint8Array) {
  for (const [mine, theirs] of [
    [one, other],
    [other, one],
  ] as const) {
    const agreement = keys.privateKey(mine, "ka");
    const otherAgreement = keys.publicKey(theirs, "ka");
    if (agreement !== undefined && otherAgreement !== undefined) return { agreement, otherAgreement };
  }
  throw new Error("neither party's private key is published");
}

/** Data that is protected for itself inside a message: what class 30 returned, or what an alert carries. */
function payloadsIn({ flag, signed }: GbcsMessage): ProtectedData[] {
  const tag = signed.content[0];
  if (flag === "command" || (tag !== ACCESS_RESPONSE && tag !== DATA_NOTIFICATION)) return [];
  const carrier = decode(apdu, signed.content);
  if (carrier.kind === "access-response") return carrier.value.data.flatMap(payloadsOf);
  return carrier.kind === "data-notification" ? payloadsOf(carrier.value.body) : [];
}

/** Certificates that fit the profile of what they are for, and no other of ours. */
function certificates(folder: string): Tally {
  const counted = tally();
  for (const file of globSync("**/*-{ds,ka}.pem", { cwd: folder }).sort()) {
    const [octets] = fromPem("CERTIFICATE", readFileSync(join(folder, file), "utf8"));
    // One is a bare public key.
    if (octets === undefined) continue;
    const certificate = decodeCertificate(octets);
    const of = certificate.subject.length === 0 ? "device" : "organisation";
    const wanted = `gbcs-${of}-${file.endsWith("-ds.pem") ? "signature" : "key-agreement"}`;
    const findings = [...PROFILES.values()].map((profile) => ({
      profile,
      found: lintCertificate(certificate, profile),
    }));
    const fitting = findings.filter(({ found }) => found.length === 0).map(({ profile }) => profile.name);
    counted.tried += 1;
    if (fitting.length === 1 && fitting[0] === wanted) counted.held += 1;
    else {
      const why = findings
        .find(({ profile }) => profile.name === wanted)
        ?.found.map((one) => `${one.field} ${one.message}`);
      counted.failed.push(`${basename(file)}: ${why?.join("; ") ?? "fits nothing"}`);
    }
  }
  return counted;
}

/** Parameters are an array of structures that begin with an enum; the octets stand after them. */
function payloadsOf(value: Data): ProtectedData[] {
  if (value.type !== "structure") return [];
  return value.value.flatMap((parameters, at) => {
    const octets = value.value[at + 1];
    if (parameters.type !== "array" || octets?.type !== "octet-string") return [];
    return [{ parameters: decode(protectionParameters, encode(data, parameters)), octets: octets.value }];
  });
}

function decipher(keys: Keys, message: GbcsMessage, payload: ProtectedData): void {
  const { originatorSystemTitle, recipientSystemTitle } = payload.parameters[0]!.protectionOptions;
  const recipient = message.dataRecipient?.title ?? recipientSystemTitle;
  const agreement = agreementOf(keys, originatorSystemTitle, recipient);
  decode(data, openGbcsPayload(nodePlatform, agreement, message, payload));
}

interface Keys {
  publicKey(title: SystemTitle | Uint8Array, use: "ds" | "ka"): Uint8Array | undefined;
  privateKey(title: SystemTitle | Uint8Array, use: "ds" | "ka"): KeyObject | undefined;
}

/** Reads `TITLE-ds.pem` (certificates) and `TITLE-ka.key` (private keys) as they are asked for. */
function keyFolder(folder: string): Keys {
  const files = new Map(
    globSync("**/*.{pem,key}", { cwd: folder }).map((file) => [basename(file), join(folder, file)]),
  );
  const read = <T>(load: (pem: string) => T, kind: "pem" | "key") => {
    const known = new Map<string, T | undefined>();
    return (title: Uint8Array, use: "ds" | "ka"): T | undefined => {
      const name = `${toHex(title)}-${use}.${kind}`;
      const file = files.get(name);
      if (!known.has(name)) known.set(name, file === undefined ? undefined : load(readFileSync(file, "utf8")));
      return known.get(name);
    };
  };
  const publicKey = read((pem) => publicKeyOctets(createPublicKey(pem)), "pem");
  const privateKey = read((pem) => createPrivateKey(pem), "key");
  return {
    publicKey(title, use) {
      const published = publicKey(title, use);
      const own = published === undefined ? privateKey(title, use) : undefined;
      return own === undefined ? published : publicKeyOctets(own);
    },
    privateKey,
  };
}

/** The folder with the messages: of a clone, or of a bare git directory taken out into a temporary folder. */
function withFolder<T>(checkout: string, use: (folder: string) => T): T {
  const inClone = join(checkout, "test", "rtds");
  if (existsSync(inClone)) return use(inClone);
  const folder = mkdtempSync(join(tmpdir(), "gbcs-"));
  try {
    const archive = archiveOf(checkout);
    execFileSync("tar", ["-x", "-C", folder], { input: archive });
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @throws Error in words where the folder is no repository with these messages */
function archiveOf(checkout: string): Buffer {
  const options = { maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "pipe"] as ["ignore", "pipe", "pipe"] };
  try {
    return execFileSync("git", ["-C", checkout, "archive", "HEAD", "test/rtds"], options);
  } catch (cause) {
    const { stderr } = cause as { readonly stderr?: Buffer };
    const why = stderr?.toString().trim().split("\n")[0] ?? String(cause);
    throw new Error(`${checkout} has no folder test/rtds, nor a commit with one: ${why}`, { cause });
  }
}

if (import.meta.main) {
  const [checkout] = process.argv.slice(2);
  if (checkout === undefined) {
    console.error("usage: npm run gbcs -- CHECKOUT, the path of a clone of SmartDCCInnovation/gbcs-parser");
    process.exitCode = 2;
  } else
    try {
      report(withFolder(checkout, sweep));
    } catch (error) {
      console.error(`gbcs: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 2;
    }
}

/** Prints the counts, and sets the exit code. */
function report({ messages, signatures, macs, payloads, certificates: counted }: GbcsCounts): void {
  console.log(`${messages} messages`);
  for (const [name, { tried, held, failed }] of Object.entries({
    signatures,
    MACs: macs,
    "class 30 payloads": payloads,
    "certificates of the test PKI": counted,
  })) {
    console.log(`${held} of ${tried} ${name}`);
    for (const line of failed) console.log(`  ${line}`);
  }
  const failures = [signatures, macs, payloads, counted].flatMap(({ failed }) => failed);
  const unexplained = failures.filter((line) => !WITHOUT_PUBLISHED_KEYS.test(line) && !ODD_CERTIFICATES.test(line));
  process.exitCode = messages === 0 || unexplained.length > 0 ? 1 : 0;
}
