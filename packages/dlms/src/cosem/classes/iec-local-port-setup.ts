import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";
import { baudRate } from "./baud-rate.ts";

const attributes = {
  /** What the port speaks first: IEC 62056-21 modes, HDLC, or what the meter's maker says. */
  defaultMode: attribute(2, d.openEnumeration({ modeC: 0, hdlc: 1, other: 2 })),
  defaultBaud: attribute(3, baudRate),
  /** The speed proposed in the identification of mode C or E. */
  proposedBaud: attribute(4, baudRate),
  responseTime: attribute(5, d.openEnumeration({ "20ms": 0, "200ms": 1 })),
  deviceAddress: attribute(6, d.octetString),
  password1: attribute(7, d.octetString),
  password2: attribute(8, d.octetString),
  password5: attribute(9, d.octetString),
};
const name = "IEC local port setup";

/** IEC local port setup: class_id 19, version 0 (Blue Book 5, previous versions). */
export const IecLocalPortSetupV0 = interfaceClass({ id: 19, version: 0, name, attributes });
/** IEC local port setup, version 1 (4.7.1): the same attributes, with more values of `defaultMode`. */
export const IecLocalPortSetup = interfaceClass({ id: 19, version: 1, name, attributes });
