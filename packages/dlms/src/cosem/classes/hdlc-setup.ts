import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";
import { baudRate } from "./baud-rate.ts";

function attributesOf<T>(length: T, lengthReceive: T) {
  return {
    communicationSpeed: attribute(2, baudRate),
    windowSizeTransmit: attribute(3, d.unsigned),
    windowSizeReceive: attribute(4, d.unsigned),
    /** Octets. */
    maxInfoFieldLengthTransmit: length,
    maxInfoFieldLengthReceive: lengthReceive,
    /** Milliseconds. */
    interOctetTimeOut: attribute(7, d.longUnsigned),
    /** Seconds; 0 for never. */
    inactivityTimeOut: attribute(8, d.longUnsigned),
    deviceAddress: attribute(9, d.longUnsigned),
  };
}

/** IEC HDLC setup: class_id 23, version 0 (Blue Book 5): lengths of one octet. */
export const HdlcSetupV0 = interfaceClass({
  id: 23,
  version: 0,
  name: "IEC HDLC setup",
  attributes: attributesOf(attribute(5, d.unsigned), attribute(6, d.unsigned)),
});
/** IEC HDLC setup, version 1 (4.7.2): lengths of two octets. */
export const HdlcSetup = interfaceClass({
  id: 23,
  version: 1,
  name: "IEC HDLC setup",
  attributes: attributesOf(attribute(5, d.longUnsigned), attribute(6, d.longUnsigned)),
});
