import type { Infer } from "../../codec/codec.ts";
import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";
import { restrictedCaptureObject } from "./selected-capture.ts";

/**
 * protection_parameters_element (Blue Book 4.4.9): one layer of protection. Octet-strings that are not used are empty.
 *
 * `keyInfoOptions` depends on `keyInfoType`: identified key `{ key_id enum }`, wrapped key
 * `{ kek_id enum, key_ciphered_data octet-string }`, agreed key `{ key_parameters octet-string, key_ciphered_data octet-string }`.
 */
export const protectionParameters = d.structure({
  protectionType: d.enumeration({
    authentication: 0,
    encryption: 1,
    authenticationAndEncryption: 2,
    digitalSignature: 3,
  }),
  protectionOptions: d.structure({
    transactionId: d.octetString,
    originatorSystemTitle: d.octetString,
    recipientSystemTitle: d.octetString,
    otherInformation: d.octetString,
    keyInfo: d.structure({
      keyInfoType: d.enumeration({ identifiedKey: 0, wrappedKey: 1, agreedKey: 2 }),
      keyInfoOptions: d.any,
    }),
  }),
});
export type ProtectionParameters = Infer<typeof protectionParameters>;

const objectList = d.array(restrictedCaptureObject);
const parameters = d.array(protectionParameters);

/** COSEM data protection: class_id 30, version 0 (Blue Book 4.4.9, edition 12). */
export const DataProtection = interfaceClass({
  id: 30,
  version: 0,
  name: "COSEM data protection",
  attributes: {
    protectionBuffer: attribute(2, d.octetString),
    protectionObjectList: attribute(3, objectList),
    protectionParametersGet: attribute(4, parameters),
    protectionParametersSet: attribute(5, parameters),
    /** Bits as in access modes: what must have been applied at least. */
    requiredProtection: attribute(6, d.enum),
  },
  methods: {
    getProtectedAttributes: method(
      1,
      d.structure({ objectList, protectionParameters: parameters }),
      d.structure({ protectionParameters: parameters, protectedAttributes: d.octetString }),
    ),
    setProtectedAttributes: method(
      2,
      d.structure({ objectList, protectionParameters: parameters, protectedAttributes: d.octetString }),
    ),
    invokeProtectedMethod: method(
      3,
      d.structure({
        objectMethod: d.structure({ classId: d.longUnsigned, logicalName: logicalNameData, methodIndex: d.integer }),
        protectionParameters: parameters,
        protectedMethodInvocationParameters: d.octetString,
      }),
      d.structure({ protectionParameters: parameters, protectedMethodReturnParameters: d.octetString }),
    ),
  },
});
