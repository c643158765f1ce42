import { c } from "../codec/c.ts";
import type { Codec, Infer } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { dataOctets } from "../data/data-octets.ts";
import { variableAccessOf } from "./variable-access.ts";

const MAX_TIME_BYTES = 32;

/**
 * current-time GeneralizedTime OPTIONAL, as octets: a text such as `20261121101500.00Z`, or the 12 octets of a date-time,
 * which is what servers send. One known stack leaves the presence octet out before a time; 12 is none, so both are read.
 */
const currentTime: Codec<Uint8Array | undefined> = {
  shape: { type: "optional", of: { type: "bytes", max: MAX_TIME_BYTES } },
  encode(w, value) {
    w.unsigned8(value === undefined ? 0 : 1);
    if (value !== undefined) time.encode(w, value);
  },
  decode(r) {
    const at = r.offset;
    const flag = r.unsigned8();
    if (flag === 0) return undefined;
    if (flag !== 1) r.offset = at;
    return time.decode(r);
  },
};
const time = c.bytes({ max: MAX_TIME_BYTES });

function informationReportOf<T>(value: Codec<T>) {
  return c.struct({ currentTime, variables: c.sequenceOf(variableAccessOf(value)), values: c.sequenceOf(value) });
}

/** InformationReportRequest ::= SEQUENCE { current-time OPTIONAL, variable-access-specification, list-of-data } */
export const informationReport = informationReportOf(data);
/** InformationReportRequest with its values as encoded Data. */
export const informationReportOctets = informationReportOf(dataOctets);
export type InformationReport = Infer<typeof informationReport>;
export type InformationReportOctets = Infer<typeof informationReportOctets>;
