import type { DataType } from "../data/value.ts";
import type { Quantity } from "../obis/quantity.ts";

/**
 * What an operator or maker has agreed on with the readers of its meters and does not send: what stands where, and in
 * which unit. Layouts are data: docs/formats/layouts.md describes the files that hold them.
 */
export interface Layout {
  /** Names the layout for `--layout`, for instance `at-wiener-netze`. */
  readonly id: string;
  readonly title: string;
  readonly match: LayoutMatch;
  /** The columns of a purely positional list, all of them, in order. */
  readonly columns?: readonly LayoutColumn[];
  /** Scalers and units of values that carry their OBIS code but not these; the first that fits counts. */
  readonly scales?: readonly LayoutScale[];
  /** What a text behind the last value is, where it has no code of its own. */
  readonly trailingText?: LayoutName;
  /** Nobody has published this meaning: it was worked out from values, and readings say so. */
  readonly assumed?: boolean;
  /** A sentence to be shown with the readings, for what the reader must know. */
  readonly note?: string;
}

/** Conditions that a telegram meets for a layout to be taken without being asked for; all that are there must hold. */
export interface LayoutMatch {
  /** FLAG ids, from the system title or the logical device name. */
  readonly makers?: readonly string[];
  /** OBIS selector of the push setup that heads an object list. */
  readonly pushSetup?: string;
  /** Addresses of the HDLC frame, in hex. */
  readonly hdlc?: { readonly destination: string; readonly source: string };
  /** The long-invoke-id-and-priority, in hex. */
  readonly invokeId?: string;
  /** Text of the first value. */
  readonly listId?: string;
  /** OBIS codes that must be in the list. */
  readonly contains?: readonly string[];
  /** Texts in the list and how they end. */
  readonly endings?: readonly { readonly obis: string; readonly endsWith: readonly string[] }[];
}

/** What a value is called: by its OBIS code, or by a label where it has none. */
export type LayoutName = { readonly obis: string } | { readonly label: string };

/** What the octets of a column are. */
export type ColumnFormat = "date-time" | "date" | "time" | "text" | "obis";

export interface LayoutColumn {
  /** The COSEM type, `string` for octet and visible strings alike, or `any`. */
  readonly type: DataType | "string" | "any";
  /** How a string column is read; without it, a string may be anything. */
  readonly format?: ColumnFormat;
  /** Without a name the column is shown as it came. */
  readonly name?: LayoutName;
  /** The column is the time of capture of the whole list, and no reading. */
  readonly isClock?: boolean;
  readonly scaler?: number;
  readonly unit?: string;
  /** The only OBIS code that may stand in a column of format `obis`. */
  readonly equals?: string;
  /** Columns at the end that shorter variants leave out. */
  readonly optional?: boolean;
}

export interface LayoutScale {
  readonly quantity?: Quantity;
  /** OBIS selector: groups are numbers, `*`, or alternatives as in `1-*:1|2.8.*`. */
  readonly obis?: string;
  /**
   * The scaler, or several where the meter's configuration decides: then the first one that brings every value of the
   * quantity between `plausible` counts.
   */
  readonly scaler: number | readonly number[];
  readonly plausible?: readonly [least: number, most: number];
  /** Left out, it is that of the quantity. */
  readonly unit?: string;
}
