import type { LinkFacts } from "../link/assembler.ts";
import type { BodyKind, MeterObject } from "./body.ts";
import type { RawValue, Reading, Season } from "./reading.ts";
import type { SecurityFacts } from "./security-facts.ts";
import type { TelegramWarning } from "./warning.ts";

/** The meter behind a telegram, as far as the telegram tells. */
export interface TelegramMeter {
  /** 16 upper-case hex digits. */
  readonly systemTitle: string | null;
  /** FLAG id and name of the maker. */
  readonly maker: { readonly flag: string; readonly name: string | null } | null;
  /** The number on the meter's plate. */
  readonly number: string | null;
  readonly logicalDeviceName: string | null;
  /** What the telegram calls its list, or its P1 identification. */
  readonly list: string | null;
}

/** A decoded telegram. */
export interface Telegram {
  readonly meter: TelegramMeter;
  readonly security: SecurityFacts;
  readonly link: LinkFacts & {
    /** Octets from the beginning of the stream to the first frame of the telegram. */
    readonly offset: number;
  };
  readonly notification: {
    /** The long-invoke-id-and-priority, which meters use as a counter of their pushes. */
    readonly invokeId: number | null;
    /** When it was sent, by the meter's clock: ISO 8601. */
    readonly time: string | null;
    /** As in readings. */
    readonly season?: Season;
  };
  /** How the meaning of the values was found, and the layout that gave it. */
  readonly layout: { readonly kind: BodyKind; readonly id: string | null; readonly title: string | null };
  readonly readings: readonly Reading[];
  /** Values without a meaning, as they came. */
  readonly raw: readonly RawValue[];
  /** The objects of the meter, where the telegram lists them. */
  readonly objects: readonly MeterObject[];
  readonly warnings: readonly TelegramWarning[];
}
