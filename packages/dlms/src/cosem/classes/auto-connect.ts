import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { timeWindow } from "../structures.ts";

const attributes = {
  mode: attribute(
    2,
    d.openEnumeration({
      noAutoConnect: 0,
      anytime: 1,
      inCallingWindow: 2,
      regularInCallingWindowElseAlarm: 3,
      smsToPlmn: 4,
      smsToPstn: 5,
      email: 6,
      permanentlyConnected: 101,
      connectedInCallingWindow: 102,
      connectedInWindowElseInvoked: 103,
      disconnectedUntilInvoked: 104,
    }),
  ),
  repetitions: attribute(3, d.unsigned),
  /** Seconds. */
  repetitionDelay: attribute(4, d.longUnsigned),
  callingWindow: attribute(5, d.array(timeWindow)),
  /** Telephone numbers, addresses or host names, as the mode says. */
  destinationList: attribute(6, d.array(d.octetString)),
};
const name = "Auto connect";

/** PSTN auto dial: class_id 29, version 0 (Blue Book 5). */
export const AutoConnectV0 = interfaceClass({ id: 29, version: 0, name, attributes });
/** Auto connect, version 1: the same over other media. */
export const AutoConnectV1 = interfaceClass({ id: 29, version: 1, name, attributes });
/** Auto connect, version 2 (4.7.6): can be asked to connect. */
export const AutoConnect = interfaceClass({ id: 29, version: 2, name, attributes, methods: { connect: method(1) } });
