import { choice } from "../codec/choice.ts";
import type { Infer } from "../codec/codec.ts";
import { aare, aarq } from "./association.ts";
import { rlre, rlrq } from "./release.ts";

/** The tags of the ACSE's APDUs. */
export const ACSE_TAGS = { aarq: 0x60, aare: 0x61, rlrq: 0x62, rlre: 0x63 } as const;

/** An APDU that opens or releases an association, in BER (Green Book 9.4.2): `{ kind: "aarq", value: { … } }`. */
export const acseApdu = choice({
  aarq: [ACSE_TAGS.aarq, aarq],
  aare: [ACSE_TAGS.aare, aare],
  rlrq: [ACSE_TAGS.rlrq, rlrq],
  rlre: [ACSE_TAGS.rlre, rlre],
});
export type AcseApdu = Infer<typeof acseApdu>;
