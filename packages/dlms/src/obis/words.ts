import { ABSTRACT } from "./abstract-words.ts";
import { formatObis, NO_BILLING_PERIOD, type ObisCode, obis } from "./code.ts";
import { electricityParts } from "./electricity-words.ts";
import { lookUp, MEDIA } from "./media.ts";
import { otherMediumParts } from "./other-media-words.ts";
import { QUANTITY_UNITS, quantityOf } from "./quantity.ts";

/** An OBIS code taken apart, as far as the tables of IEC 62056-6-1 tell. */
export interface ObisDescription {
  /** All of it in words: `Active energy import L1, tariff 2, channel 1, billing period 3`. */
  readonly text: string;
  /** `Electricity`, `Gas` …; undefined for a medium that no table has. */
  readonly medium: string | undefined;
  /** Group B where it is not 0. */
  readonly channel?: number;
  /** `L1`, `L2`, `L3`, `N`; absent for the sum and where there are no phases. */
  readonly phase?: string;
  /** How the value was made from what was measured: a maximum, an average, a value at a date. */
  readonly processing?: string;
  /** Absent for the total. */
  readonly tariff?: number;
  /** `fundamental`, `harmonic 3`, `total harmonic distortion`. */
  readonly harmonic?: string;
  /** Group F: the billing period that the value was stored for. */
  readonly storage?: number;
  /** The unit in which the quantity is counted before any scaler; empty where it has none. */
  readonly unit?: string;
}

type Parts = Pick<ObisDescription, "text" | "phase" | "processing" | "tariff" | "harmonic" | "unit">;

const P1_VERSION = "P1 version";
const FIRST_MANUFACTURER_CODE = 128;
const LAST_MANUFACTURER_CODE = 254;

/** Takes an OBIS code, or a logical name, apart. @throws DlmsError `invalid-value` for text that is neither. */
export function describeObis(codeOrText: ObisCode | string): ObisDescription {
  const code = typeof codeOrText === "string" ? obis(codeOrText) : codeOrText;
  const parts = partsOf(code);
  const channel = code.b === 0 ? undefined : code.b;
  const storage = code.f === NO_BILLING_PERIOD ? undefined : code.f;
  const medium = MEDIA[code.a];
  const text = parts?.text ?? unnamed(code, medium);
  // DSMR writes the version of P1 as 1-3:0.2.8: its 3 is no channel.
  const isP1Version = code.a === 1 && code.b === 3 && parts?.text === P1_VERSION;
  const suffix = medium === undefined ? "" : suffixOf(isP1Version ? undefined : channel, storage);
  return {
    ...parts,
    text: `${text}${suffix}`,
    medium,
    ...(channel === undefined ? {} : { channel }),
    ...(storage === undefined ? {} : { storage }),
  };
}

/** Says an OBIS code in words: `Active energy import, tariff 1`, `Voltage L2`, `Logical device name`. */
export function obisInWords(code: ObisCode): string {
  return describeObis(code).text;
}

function partsOf(code: ObisCode): Parts | undefined {
  if (code.a === 0) {
    const text = lookUp(ABSTRACT, code.c, code.d, code.e);
    return text === undefined ? undefined : { text };
  }
  if (code.a !== 1) return otherMediumParts(code);
  const parts = electricityParts(code);
  const quantity = quantityOf(code);
  return parts === undefined || quantity === undefined ? parts : { ...parts, unit: QUANTITY_UNITS[quantity] };
}

function unnamed({ a, b, c, d, e, f }: ObisCode, medium: string | undefined): string {
  if (medium === undefined) return `Unknown (${formatObis({ a, b, c, d, e, f })})`;
  const isMakers = [c, d].some((group) => group >= FIRST_MANUFACTURER_CODE && group <= LAST_MANUFACTURER_CODE);
  return `${medium} ${c}.${d}.${e}${isMakers ? " of the maker" : ""}`;
}

function suffixOf(channel: number | undefined, storage: number | undefined): string {
  const inChannel = channel === undefined ? "" : `, channel ${channel}`;
  return storage === undefined ? inChannel : `${inChannel}, billing period ${storage}`;
}
