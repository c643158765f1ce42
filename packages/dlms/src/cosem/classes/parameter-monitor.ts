import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";
import { attributeReference } from "../structures.ts";

const attributes = {
  changedParameter: attribute(
    2,
    d.structure({
      classId: d.longUnsigned,
      logicalName: logicalNameData,
      attributeIndex: d.integer,
      attributeValue: d.any,
    }),
  ),
  captureTime: attribute(3, d.dateTime),
  parameterList: attribute(4, d.array(attributeReference)),
};
const methods = { addParameter: method(1, attributeReference), deleteParameter: method(2, attributeReference) };

/** Parameter monitor: class_id 65, version 0 (Blue Book 4.5.10, edition 12). */
export const ParameterMonitorV0 = interfaceClass({
  id: 65,
  version: 0,
  name: "Parameter monitor",
  attributes,
  methods,
});

/** Parameter monitor, version 1 (edition 15): a digest over the parameters' values tells whether any has changed. */
export const ParameterMonitor = interfaceClass({
  id: 65,
  version: 1,
  name: "Parameter monitor",
  attributes: {
    ...attributes,
    parameterListName: attribute(5, d.octetString),
    hashAlgorithmId: attribute(6, d.enum),
    parameterValueDigest: attribute(7, d.octetString),
    /** A structure with the values in the order of the list. */
    parameterValues: attribute(8, d.any),
  },
  methods,
});
