import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";
import { baudRate } from "./baud-rate.ts";

const modemProfile = attribute(4, d.array(d.octetString));
const strings = { request: d.octetString, response: d.octetString };

/** PSTN modem configuration: class_id 27, version 0 (Blue Book 5). */
export const ModemConfigurationV0 = interfaceClass({
  id: 27,
  version: 0,
  name: "Modem configuration",
  attributes: {
    communicationSpeed: attribute(2, baudRate),
    initialisationStrings: attribute(3, d.array(d.structure(strings))),
    modemProfile,
  },
});
/** Modem configuration, version 1 (4.7.4). */
export const ModemConfiguration = interfaceClass({
  id: 27,
  version: 1,
  name: "Modem configuration",
  attributes: {
    communicationSpeed: attribute(2, baudRate),
    initialisationStrings: attribute(
      3,
      /** Delay in milliseconds. */
      d.array(d.structure({ ...strings, delayAfterResponse: d.longUnsigned })),
    ),
    modemProfile,
  },
});
