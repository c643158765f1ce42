import type { HdlcClientOptions } from "../hdlc/client-events.ts";
import type { MeterFacts } from "./meter-profile.ts";

/** How to connect over HDLC to a meter of a kind, as one of the clients it knows; further options can be put beside. */
export function hdlcOptionsOf({ hdlc = {}, serverSap = 1 }: MeterFacts, clientAddress: number): HdlcClientOptions {
  const {
    addressBytes: bytes,
    physicalDevice,
    firstSegmentBytes,
    furtherSegmentBytes,
    assumesModeE: _,
    ...rest
  } = hdlc;
  const { answersWithCommandLlc, omitsLlc, neverAcknowledges, ...parameters } = rest;
  const segments = {
    ...(firstSegmentBytes === undefined ? {} : { firstBytes: firstSegmentBytes }),
    ...(furtherSegmentBytes === undefined ? {} : { furtherBytes: furtherSegmentBytes }),
  };
  return {
    clientAddress,
    server: { logicalDevice: serverSap, physicalDevice, bytes },
    parameters,
    quirks: {
      segments,
      answersWithCommandLlc: answersWithCommandLlc === true,
      omitsLlc: omitsLlc === true,
      neverAcknowledges: neverAcknowledges === true,
    },
  };
}
