import { fromHex } from "@meterkeep/dlms";
import { WrapperFrames } from "@meterkeep/dlms-node";
import { hdlcApdus, hdlcFrames, isHdlc, type RecordedOctets } from "./hdlc-frames.ts";

/** One recorded APDU, as it travelled. */
export interface RecordedApdu {
  readonly direction: "sent" | "received";
  readonly octets: Uint8Array;
  /** What the recorder found under the ciphering of the APDU, or of the InitiateRequest or -Response in it. */
  readonly plain: Uint8Array | undefined;
  /** Place among the recorded messages. */
  readonly message: number;
}

/** What the recorded client made of a part of the exchange. */
export interface RecordedStep {
  readonly step: string;
  readonly firstMessage: number | undefined;
  readonly lastMessage: number | undefined;
  readonly value: unknown;
  readonly error: string | undefined;
}

/** Keys of one side's key pair. */
export interface RecordedKeyPair {
  readonly private: Uint8Array;
  readonly public: Uint8Array;
}

/** An exchange between another vendor's client and server. */
export interface Recording {
  readonly name: string;
  readonly suite: 0 | 1 | 2;
  readonly password: Uint8Array | undefined;
  readonly clientSap: number;
  readonly serverSap: number;
  readonly clientTitle: Uint8Array | undefined;
  readonly serverTitle: Uint8Array | undefined;
  readonly encryptionKey: Uint8Array | undefined;
  readonly authenticationKey: Uint8Array | undefined;
  readonly dedicatedKey: Uint8Array | undefined;
  readonly signingClient: RecordedKeyPair | undefined;
  readonly signingServer: RecordedKeyPair | undefined;
  readonly apdus: readonly RecordedApdu[];
  /** What went over the line, frames and all, where the recorder kept it. */
  readonly messages: readonly RecordedOctets[];
  readonly decoded: readonly RecordedStep[];
  /** Frames that came unasked on a connection of their own. */
  readonly pushes: readonly Uint8Array[];
}

/** A file that cannot be replayed, in words. */
export class RecordingError extends Error {}

type Fields = Readonly<Record<string, unknown>>;

/** Reads a recording from the text of its file, taking what is there. @throws RecordingError when there are no APDUs */
export function parseRecording(text: string, name: string): Recording {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new RecordingError(`it is no JSON: ${(error as Error).message}`);
  }
  const file = fields(parsed);
  if (file === undefined) throw new RecordingError("it is no JSON object");
  const keys = fields(file["keys"]) ?? {};
  const messages = messagesOf(file);
  const apdus = apdusOf(file, messages);
  if (apdus.length === 0) throw new RecordingError("it has neither `apdus` nor `messages` that hold any");
  const password = file["password"];
  const signing = [keyPair(keys["signingClient"]), keyPair(keys["signingServer"])] as const;
  return {
    name: typeof file["name"] === "string" ? file["name"] : name,
    suite: suiteOf(file["suite"], octets(keys["guek"]), signing[0] ?? signing[1]),
    password: typeof password === "string" ? new TextEncoder().encode(password) : undefined,
    clientSap: number(file["clientAddress"]) ?? 16,
    serverSap: number(file["serverAddress"]) ?? 1,
    clientTitle: titleOf(file["clientSystemTitle"]),
    serverTitle: titleOf(file["serverSystemTitle"]),
    encryptionKey: octets(keys["guek"]),
    authenticationKey: octets(keys["gak"]),
    dedicatedKey: octets(keys["dedicated"]),
    signingClient: signing[0],
    signingServer: signing[1],
    apdus,
    messages,
    decoded: list(file["decoded"]).flatMap(stepOf),
    pushes: list(file["pushes"]).flatMap((push) => octets(fields(push)?.["frame"]) ?? []),
  };
}

/** The suite that the file names, else the one that its keys are of. */
function suiteOf(
  named: unknown,
  encryptionKey: Uint8Array | undefined,
  signing: RecordedKeyPair | undefined,
): Recording["suite"] {
  const suite = number(named);
  if (suite === 0 || suite === 1 || suite === 2) return suite;
  if (encryptionKey?.length === SUITE_2_KEY_BYTES || signing?.public.length === P384_BYTES) return 2;
  return signing === undefined ? 0 : 1;
}

const SUITE_2_KEY_BYTES = 32;
const P384_BYTES = 96;

function messagesOf(file: Fields): readonly RecordedOctets[] {
  return list(file["messages"]).flatMap((item, message): RecordedOctets[] => {
    const entry = fields(item);
    const found = octets(entry?.["hex"]);
    const direction = directionOf(entry?.["dir"]);
    return found === undefined || direction === undefined ? [] : [{ direction, octets: found, message }];
  });
}

function apdusOf(file: Fields, messages: readonly RecordedOctets[]): readonly RecordedApdu[] {
  const listed = list(file["apdus"]).flatMap((item, at): RecordedApdu[] => {
    const entry = fields(item);
    const found = octets(entry?.["apdu"]);
    const direction = directionOf(entry?.["dir"]);
    if (entry === undefined || found === undefined || direction === undefined) return [];
    const sealed = fields(entry["deciphered"]) ?? fields(entry["userInfo"]);
    return [{ direction, octets: found, plain: octets(sealed?.["plain"]), message: number(entry["msg"]) ?? at }];
  });
  if (listed.length > 0) return listed;
  const found = isHdlc(messages) ? hdlcApdus(hdlcFrames(messages)) : unwrapped(messages);
  return found.map((one) => ({ ...one, plain: undefined }));
}

/** Takes the APDUs out of wrapper frames, where the recorder did not. */
function unwrapped(messages: readonly RecordedOctets[]): readonly RecordedOctets[] {
  const frames = { sent: new WrapperFrames(), received: new WrapperFrames() };
  const found: RecordedOctets[] = [];
  try {
    for (const { direction, octets: frame, message } of messages)
      for (const { apdu } of frames[direction].push(frame)) found.push({ direction, octets: apdu.slice(), message });
  } catch {
    // Damaged frames: what was found before them is all there is.
  }
  return found;
}

function stepOf(item: unknown): RecordedStep[] {
  const entry = fields(item);
  if (entry === undefined || typeof entry["step"] !== "string") return [];
  return [
    {
      step: entry["step"],
      firstMessage: number(entry["firstMessage"]),
      lastMessage: number(entry["lastMessage"]),
      value: entry["value"],
      error: typeof entry["error"] === "string" ? entry["error"] : undefined,
    },
  ];
}

function directionOf(value: unknown): RecordedApdu["direction"] | undefined {
  if (typeof value !== "string") return undefined;
  return value.startsWith("c") ? "sent" : value.startsWith("s") ? "received" : undefined;
}

function keyPair(value: unknown): RecordedKeyPair | undefined {
  const pair = fields(value);
  const own = octets(pair?.["private"]);
  const known = octets(pair?.["public"]);
  return own === undefined || known === undefined ? undefined : { private: own, public: known };
}

function titleOf(value: unknown): Uint8Array | undefined {
  const title = octets(value);
  return title?.length === 8 ? title : undefined;
}

function fields(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function number(value: unknown): number | undefined {
  const read = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  return typeof read === "number" && Number.isInteger(read) ? read : undefined;
}

/** Octets in hex, with or without blanks or colons between them. */
function octets(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string") return undefined;
  const hex = value.replaceAll(/[\s:]/g, "");
  return hex.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(hex) ? fromHex(hex) : undefined;
}
