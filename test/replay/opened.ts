import { createSecretKey, type KeyObject } from "node:crypto";
import {
  type Aare,
  type Aarq,
  acseApdu,
  apdu as anyApdu,
  type CipheringFacts,
  concatBytes,
  DlmsError,
  decode,
  equalBytes,
  type InitiateRequest,
  type InitiateResponse,
  type LayerKeys,
  openLayers,
  type PlainApdu,
  type SystemTitle,
  systemTitle,
} from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import type { RecordedApdu, Recording } from "./recording.ts";

/** A recorded APDU with what our own code finds in it. */
export interface OpenedApdu extends RecordedApdu {
  /** Without its ciphering; undefined where the recorded keys do not open it. */
  readonly inner: Uint8Array | undefined;
  readonly facts: CipheringFacts | undefined;
  /** In the first of several general blocks that make up an APDU: that APDU, deciphered. */
  readonly gathered?: Uint8Array | undefined;
  readonly gatheredFacts?: CipheringFacts | undefined;
}

/** The association that a recording begins with, as far as it was made. */
export interface RecordedAssociation {
  readonly aarq: Aarq | undefined;
  readonly aare: Aare | undefined;
  readonly initiate: InitiateRequest | undefined;
  readonly accepted: InitiateResponse | undefined;
  readonly requestFacts: CipheringFacts | undefined;
  readonly responseFacts: CipheringFacts | undefined;
}

/** A recording, deciphered by us. */
export interface OpenedRecording {
  readonly recording: Recording;
  readonly apdus: readonly OpenedApdu[];
  readonly association: RecordedAssociation;
  readonly clientTitle: SystemTitle | undefined;
  readonly serverTitle: SystemTitle | undefined;
  /** APDUs whose plain octets are those that the recorder found. */
  readonly deciphered: number;
  /** What was found otherwise than recorded. */
  readonly complaints: readonly string[];
}

const AARQ = 0x60;
const AARE = 0x61;

export function secretKey(octets: Uint8Array): KeyObject {
  return createSecretKey(octets);
}

/** Deciphers all of a recording with the keys in it, and compares with what its recorder found. */
export function openRecording(recording: Recording): OpenedRecording {
  const aarq = firstAcse(recording, AARQ, "aarq");
  const aare = firstAcse(recording, AARE, "aare");
  const clientTitle = titleOf(aarq?.callingApTitle) ?? titleOf(recording.clientTitle);
  const serverTitle = titleOf(aare?.respondingApTitle) ?? titleOf(recording.serverTitle);
  const titles = { sent: clientTitle, received: serverTitle };
  const keys = layerKeys(recording);
  const complaints: string[] = [];
  const sealed = recording.apdus.filter(({ octets }) => isSealed(octets)).length;
  if (keys === undefined && sealed > 0)
    complaints.push(`${sealed} APDUs are ciphered, and it has no \`keys.guek\` and \`keys.gak\` to open them`);
  let deciphered = 0;
  const open = (octets: Uint8Array, direction: RecordedApdu["direction"]) => {
    if (keys === undefined) return undefined;
    try {
      return openLayers(keys, { originator: titles[direction] }, octets);
    } catch (error) {
      if (!(error instanceof DlmsError)) throw error;
      return undefined;
    }
  };
  const apdus = recording.apdus.map((recorded): OpenedApdu => {
    const { octets, direction, plain, message } = recorded;
    const opened = open(octets, direction);
    if (
      keys !== undefined &&
      plain !== undefined &&
      octets[0] !== AARQ &&
      octets[0] !== AARE &&
      octets[0] !== 0x62 &&
      octets[0] !== 0x63
    ) {
      const same = opened !== undefined && equalBytes(opened.plain, plain);
      if (same) deciphered += 1;
      else complaints.push(`message ${message} does not decipher as recorded`);
    }
    return {
      ...recorded,
      inner: opened?.plain ?? (opened === undefined && isSealed(octets) ? undefined : octets),
      facts: opened?.ciphering,
    };
  });
  const gathered = apdus.map((opened, at) => {
    const { direction } = opened;
    const whole = gather(recording.apdus, at, direction);
    if (whole === undefined) return opened;
    const inside = open(whole, direction);
    return { ...opened, gathered: inside?.plain ?? whole, gatheredFacts: inside?.ciphering };
  });
  const request = aarq?.userInformation === undefined ? undefined : open(aarq.userInformation, "sent");
  const response = aare?.userInformation === undefined ? undefined : open(aare.userInformation, "received");
  const initiate = plainIn(request?.plain ?? aarq?.userInformation);
  const accepted = plainIn(response?.plain ?? aare?.userInformation);
  return {
    recording,
    apdus: gathered,
    association: {
      aarq,
      aare,
      initiate: initiate?.kind === "initiate-request" ? initiate.value : undefined,
      accepted: accepted?.kind === "initiate-response" ? accepted.value : undefined,
      requestFacts: request?.ciphering,
      responseFacts: response?.ciphering,
    },
    clientTitle,
    serverTitle,
    deciphered,
    complaints,
  };
}

/** What the general blocks hold that one side begins to send at `at`. */
function gather(apdus: readonly RecordedApdu[], at: number, side: RecordedApdu["direction"]): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  for (const { direction, octets } of apdus.slice(at)) {
    if (direction !== side && parts.length > 0) continue;
    const block = plainIn(octets);
    if (direction !== side || block?.kind !== "general-block-transfer") return undefined;
    const { blockNumber, blockData, control } = block.value;
    if (parts.length === 0 && (blockNumber !== 1 || blockData.length === 0)) return undefined;
    parts.push(blockData);
    if (control.lastBlock) return concatBytes(...parts);
  }
  return undefined;
}

/** A plain APDU as a value; undefined where it is none. */
export function plainIn(octets: Uint8Array | undefined): PlainApdu | undefined {
  if (octets === undefined) return undefined;
  try {
    return decode(anyApdu, octets, { trailing: "ignore" }) as PlainApdu;
  } catch {
    return undefined;
  }
}

function isSealed(octets: Uint8Array): boolean {
  const kind = plainIn(octets)?.kind as string | undefined;
  return kind !== undefined && /^(glo|ded|general-(glo|ded|ciphering|signing))/.test(kind);
}

/** The keys of a recording. */
export function layerKeys(recording: Recording): LayerKeys<KeyObject> | undefined {
  const { encryptionKey, authenticationKey, dedicatedKey } = recording;
  if (encryptionKey === undefined || authenticationKey === undefined) return undefined;
  const global = { encryption: secretKey(encryptionKey), authentication: authenticationKey };
  const dedicated = dedicatedKey === undefined ? undefined : { ...global, encryption: secretKey(dedicatedKey) };
  return {
    ciphers: nodeCiphers,
    keysFor(form) {
      if (form === "global" || form === "general-global") return global;
      if (dedicated === undefined) throw new DlmsError("key-missing", "the recording has no dedicated key");
      return dedicated;
    },
  };
}

function firstAcse<Kind extends "aarq" | "aare">(recording: Recording, tag: number, kind: Kind) {
  const found = recording.apdus.find(({ octets }) => octets[0] === tag);
  if (found === undefined) return undefined;
  try {
    const value = decode(acseApdu, found.octets);
    return value.kind === kind ? (value.value as Kind extends "aarq" ? Aarq : Aare) : undefined;
  } catch {
    return undefined;
  }
}

function titleOf(octets: Uint8Array | undefined): SystemTitle | undefined {
  return octets?.length === 8 ? systemTitle(octets) : undefined;
}
