import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

/** Disconnect control: class_id 70, version 0 (Blue Book 4.5.8). */
export const DisconnectControl = interfaceClass({
  id: 70,
  version: 0,
  attributes: {
    /** The switch itself: true when supply flows. */
    outputState: attribute(2, d.boolean),
    controlState: attribute(3, d.enumeration({ disconnected: 0, connected: 1, readyForReconnection: 2 })),
    /** 0: always connected; 1 to 6: who may disconnect and reconnect, as the Blue Book tabulates. */
    controlMode: attribute(4, d.enum),
  },
  methods: { remoteDisconnect: method(1), remoteReconnect: method(2) },
});
