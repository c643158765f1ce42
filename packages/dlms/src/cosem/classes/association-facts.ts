import { d } from "../../data/d.ts";

/** user_list_entry: who may use an association. */
export const user = d.structure({ userId: d.unsigned, userName: d.visibleString });

/** xDLMS_context_info: what the association agreed on. */
export const xdlmsContextInfo = d.structure({
  conformance: d.bitString,
  maxReceivePduSize: d.longUnsigned,
  maxSendPduSize: d.longUnsigned,
  dlmsVersionNumber: d.unsigned,
  qualityOfService: d.integer,
  cypheringInfo: d.octetString,
});
