import { d } from "../../data/d.ts";
import { protectionParameters } from "../../security/data-protection.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";
import { restrictedCaptureObject } from "./selected-capture.ts";

const objectList = d.array(restrictedCaptureObject);

/** COSEM data protection: class_id 30, version 0 (Blue Book 4.4.9, edition 12). */
export const DataProtection = interfaceClass({
  id: 30,
  version: 0,
  name: "COSEM data protection",
  attributes: {
    protectionBuffer: attribute(2, d.octetString),
    protectionObjectList: attribute(3, objectList),
    protectionParametersGet: attribute(4, protectionParameters),
    protectionParametersSet: attribute(5, protectionParameters),
    /** Bits as in access modes: what must have been applied at least. */
    requiredProtection: attribute(6, d.enum),
  },
  methods: {
    getProtectedAttributes: method(
      1,
      d.structure({ objectList, protectionParameters }),
      d.structure({ protectionParameters, protectedAttributes: d.octetString }),
    ),
    setProtectedAttributes: method(
      2,
      d.structure({ objectList, protectionParameters, protectedAttributes: d.octetString }),
    ),
    invokeProtectedMethod: method(
      3,
      d.structure({
        objectMethod: d.structure({ classId: d.longUnsigned, logicalName: logicalNameData, methodIndex: d.integer }),
        protectionParameters,
        protectedMethodInvocationParameters: d.octetString,
      }),
      d.structure({ protectionParameters, protectedMethodReturnParameters: d.octetString }),
    ),
  },
});
