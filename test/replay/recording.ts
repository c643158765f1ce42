import { fromHex } from "@meterkeep/dlms";
import { WrapperFrames } from "@meterkeep/dlms-node";

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
  const apdus = apdusOf(file);
  if (apdus.length === 0) throw new RecordingError("it has neither `apdus` nor `messages` that hold any");
  const suite = file["suite"];
  const password = file["password"];
  return {
    name: typeof file["name"] === "string" ? file["name"] : name,
    suite: suite === 1 || suite === 2 ? suite : 0,
    password: typeof password === "string" ? new TextEncoder().encode(password) : undefined,
    clientSap: number(file["clientAddress"]) ?? 16,
    serverSap: number(file["serverAddress"]) ?? 1,
    clientTitle: titleOf(file["clientSystemTitle"]),
    serverTitle: titleOf(file["serverSystemTitle"]),
    encryptionKey: octets(keys["guek"]),
    authenticationKey: octets(keys["gak"]),
    dedicatedKey: octets(keys["dedicated"]),
    signingClient: keyPair(keys["signingClient"]),
    signingServer: keyPair(keys["signingServer"]),
    apdus,
    decoded: list(file["decoded"]).flatMap(stepOf),
    pushes: list(file["pushes"]).flatMap((push) => octets(fields(push)?.["frame"]) ?? []),
  };
}

function apdusOf(file: Fields): readonly RecordedApdu[] {
  const listed = list(file["apdus"]).flatMap((item, at): RecordedApdu[] => {
    const entry = fields(item);
    const found = octets(entry?.["apdu"]);
    const direction = directionOf(entry?.["dir"]);
    if (entry === undefined || found === undefined || direction === undefined) return [];
    const sealed = fields(entry["deciphered"]) ?? fields(entry["userInfo"]);
    return [{ direction, octets: found, plain: octets(sealed?.["plain"]), message: number(entry["msg"]) ?? at }];
  });
  return listed.length > 0 ? listed : unwrapped(file);
}

/** Takes the APDUs out of wrapper frames, where the recorder did not. */
function unwrapped(file: Fields): readonly RecordedApdu[] {
  const frames = { sent: new WrapperFrames(), received: new WrapperFrames() };
  const found: RecordedApdu[] = [];
  try {
    for (const [message, item] of list(file["messages"]).entries()) {
      const entry = fields(item);
      const frame = octets(entry?.["hex"]);
      const direction = directionOf(entry?.["dir"]);
      if (frame === undefined || direction === undefined) continue;
      for (const { apdu } of frames[direction].push(frame))
        found.push({ direction, octets: apdu.slice(), plain: undefined, message });
    }
  } catch {
    // Another link's frames, or damaged ones: what was found before them is all there is.
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
  return typeof value === "number" && Number.isInteger(value) ? value : undefined;
}

function octets(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string" || value.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(value)) return undefined;
  return fromHex(value);
}
