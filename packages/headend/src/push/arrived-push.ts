import type { PushSource } from "@meterkeep/api";

/** An APDU that arrived unasked. Its address proves nothing. */
export interface ArrivedPush {
  readonly apdu: Uint8Array;
  readonly transport: PushSource["transport"];
  readonly address: string;
  /** To be told the system title, when it was authenticated, new, and is stored. */
  readonly authenticated?: (title: string) => void;
}

/** With when that was, milliseconds since 1970 UTC on our clock. */
export interface DatedPush extends ArrivedPush {
  readonly at: number;
}
