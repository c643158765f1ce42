import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";

/** Status mapping: class_id 63, version 0 (Blue Book 4.3.9): what each bit of a status word means. */
export const StatusMapping = interfaceClass({
  id: 63,
  version: 0,
  name: "Status mapping",
  attributes: {
    /** A bit-string, an unsigned number, a string of octets or of characters. */
    statusWord: attribute(2, d.any),
    mappingTable: attribute(
      3,
      d.structure({
        referenceTableId: d.unsigned,
        /** The table's entry for bit 0, the others following; or an entry for each bit. */
        referenceTableMapping: d.choice({ firstEntry: d.longUnsigned, entries: d.array(d.longUnsigned) }),
      }),
    ),
  },
});
