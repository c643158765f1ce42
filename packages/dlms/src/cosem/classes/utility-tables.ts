import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";
import { selector } from "../selective-access.ts";

const offsetAccess = d.structure({ offset: d.doubleLongUnsigned, count: d.longUnsigned });
const indexAccess = d.structure({ index: d.array(d.longUnsigned), count: d.longUnsigned });

/** Utility tables: class_id 26, version 0 (Blue Book 4.3.7): a table of ANSI C12.19. */
export const UtilityTables = interfaceClass({
  id: 26,
  version: 0,
  name: "Utility tables",
  attributes: {
    tableId: attribute(2, d.longUnsigned),
    /** Octets. */
    length: attribute(3, d.doubleLongUnsigned),
    buffer: attribute(4, d.octetString, { offset: selector(1, offsetAccess), index: selector(2, indexAccess) }),
  },
});
