import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

const attributes = {
  /** The switch itself: true when supply flows. */
  outputState: attribute(2, d.boolean),
  controlState: attribute(3, d.enumeration({ disconnected: 0, connected: 1, readyForReconnection: 2 })),
  /** 0: always connected; 1 to 6: who may disconnect and reconnect, as the Blue Book tabulates. */
  controlMode: attribute(4, d.enum),
};
const methods = { remoteDisconnect: method(1), remoteReconnect: method(2) };
const name = "Disconnect control";

/** Disconnect control: class_id 70, version 0 (Blue Book 4.5.8). */
export const DisconnectControl = interfaceClass({ id: 70, version: 0, name, methodOffset: 0x20, attributes, methods });
/** Disconnect control, version 1 (edition 15): looks the same from outside. */
export const DisconnectControlV1 = interfaceClass({
  id: 70,
  version: 1,
  name,
  methodOffset: 0x20,
  attributes,
  methods,
});
