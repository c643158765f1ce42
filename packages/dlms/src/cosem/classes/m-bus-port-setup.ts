import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";
import { baudRate } from "./baud-rate.ts";

/** M-Bus slave port setup: class_id 25, version 0 (Blue Book 4.8.1). */
export const MBusSlavePortSetup = interfaceClass({
  id: 25,
  version: 0,
  name: "M-Bus slave port setup",
  attributes: {
    defaultBaud: attribute(2, baudRate),
    availableBaud: attribute(3, baudRate),
    addressState: attribute(4, d.openEnumeration({ notAssigned: 0, assigned: 1 })),
    busAddress: attribute(5, d.unsigned),
  },
});

/** M-Bus master port setup: class_id 74, version 0 (Blue Book 4.8.5). */
export const MBusMasterPortSetup = interfaceClass({
  id: 74,
  version: 0,
  name: "M-Bus master port setup",
  attributes: { communicationSpeed: attribute(2, baudRate) },
});

/** Wireless Mode Q channel: class_id 73, version 1 (Blue Book 4.8.4, EN 13757-5). */
export const WirelessModeQChannel = interfaceClass({
  id: 73,
  version: 1,
  name: "Wireless Mode Q channel",
  attributes: {
    addressState: attribute(2, d.openEnumeration({ notAssigned: 0, assigned: 1 })),
    deviceAddress: attribute(3, d.octetString),
    addressMask: attribute(4, d.octetString),
  },
});
