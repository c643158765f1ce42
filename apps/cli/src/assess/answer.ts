import type { KeyObject } from "node:crypto";
import {
  type Aare,
  acseApdu,
  type CipheredParties,
  DlmsError,
  decode,
  openApdu,
  protectionFormOf,
  refusalOf,
} from "@meterkeep/dlms";

/** What came back: octets, nothing in time, or the end of the connection. */
export type Answer =
  | { readonly kind: "octets"; readonly octets: Uint8Array; readonly milliseconds: number }
  | { readonly kind: "silence" | "closed"; readonly milliseconds: number };

/** Who has ciphered an answer, and with which keys. */
export type CipheredAs = CipheredParties<KeyObject>;

/** What an answer to a request means. */
export interface Meaning {
  /** The meter did what it was asked, or gave what it was asked for. */
  readonly served: boolean;
  /** How the answer was protected, for those with octets. */
  readonly protection: "plain" | "ciphered";
  /** The plain APDU; undefined where there is none or it could not be opened. */
  readonly plain: Uint8Array | undefined;
  readonly words: string;
}

const GET_RESPONSE = 0xc4;
const SET_RESPONSE = 0xc5;
const ACTION_RESPONSE = 0xc7;
const NORMAL = 0x01;
/** By short names: the choice of the first result says how it went. */
const SHORT_NAME_RESPONSES: Readonly<Record<number, string>> = { 12: "READ", 13: "WRITE" };
const FAILED = 1;

/** Reads the answer to a GET, SET or ACTION. @param parties opens it where it is ciphered */
export function meaningOf(answer: Answer, parties?: CipheredAs): Meaning {
  if (answer.kind !== "octets") {
    const words = answer.kind === "silence" ? "no answer" : "the meter closed the connection";
    return { served: false, protection: "plain", plain: undefined, words };
  }
  const { octets } = answer;
  if (protectionFormOf(octets[0] ?? 0) === undefined) return meaningOfPlain(octets, "plain");
  if (parties === undefined)
    return { served: false, protection: "ciphered", plain: undefined, words: "a ciphered answer" };
  const plain = opened(parties, octets);
  if (plain === undefined)
    return {
      served: false,
      protection: "ciphered",
      plain: undefined,
      words: "a ciphered answer that cannot be opened",
    };
  return meaningOfPlain(plain, "ciphered");
}

/** Opens however weakly it is protected: what that means, the check says. */
function opened(parties: CipheredAs, octets: Uint8Array): Uint8Array | undefined {
  try {
    const ciphering = { ...parties.ciphering, authenticated: false, encrypted: false };
    return openApdu({ ...parties, ciphering }, octets).plain;
  } catch (error) {
    if (error instanceof DlmsError) return undefined;
    throw error;
  }
}

function meaningOfPlain(plain: Uint8Array, protection: Meaning["protection"]): Meaning {
  const refusal = refusalIn(plain);
  if (refusal !== undefined) return { served: false, protection, plain, words: refusal };
  const [tag = 0, choice = 0, , result = 0] = plain;
  const shortName = SHORT_NAME_RESPONSES[tag];
  if (shortName !== undefined) {
    const failed = plain[2] === FAILED;
    const how = failed ? `was refused (result ${plain[3] ?? 0})` : "was served";
    return { served: !failed, protection, plain, words: `the ${shortName} ${how}` };
  }
  const name = { [GET_RESPONSE]: "GET", [SET_RESPONSE]: "SET", [ACTION_RESPONSE]: "ACTION" }[tag];
  if (name === undefined) return { served: false, protection, plain, words: `an APDU with tag 0x${tag.toString(16)}` };
  // A long answer in blocks has been served as well.
  const served = (tag === GET_RESPONSE && choice !== NORMAL) || result === 0;
  const words = served ? `the ${name} was served` : `the ${name} was refused (result ${resultOf(tag, plain)})`;
  return { served, protection, plain, words };
}

function resultOf(tag: number, plain: Uint8Array): number {
  return (tag === GET_RESPONSE ? plain[4] : plain[3]) ?? 0;
}

function refusalIn(plain: Uint8Array): string | undefined {
  const refusal = refusalOf(plain);
  if (refusal !== undefined) return `refused: ${refusal.reason ?? refusal.message}`;
  const aare = aareIn(plain);
  return aare === undefined ? undefined : `an AARE: ${aare.result}, ${aare.diagnostic.value}`;
}

/** The AARE in octets; undefined when they are none. */
export function aareIn(octets: Uint8Array): Aare | undefined {
  try {
    const apdu = decode(acseApdu, octets);
    return apdu.kind === "aare" ? apdu.value : undefined;
  } catch (error) {
    if (error instanceof DlmsError) return undefined;
    throw error;
  }
}
