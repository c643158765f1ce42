import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { scriptReference } from "../structures.ts";

/** Arbitrator: class_id 68, version 0 (Blue Book 4.5.12): decides between actors that want different things of one resource. */
export const Arbitrator = interfaceClass({
  id: 68,
  version: 0,
  name: "Arbitrator",
  methodOffset: 0x30,
  attributes: {
    actions: attribute(2, d.array(scriptReference)),
    /** One bit-string an actor, a bit an action. */
    permissionsTable: attribute(3, d.array(d.bitString)),
    /** One row an actor, a weight an action. */
    weightingsTable: attribute(4, d.array(d.array(d.longUnsigned))),
    /** One bit-string an actor: the actions it last asked for. */
    mostRecentRequestsTable: attribute(5, d.array(d.bitString)),
    /** The number of the action that ran last, from 1; 0 when there was none. */
    lastOutcome: attribute(6, d.unsigned),
  },
  methods: {
    requestAction: method(1, d.structure({ requestActor: d.unsigned, requestActionList: d.bitString })),
    reset: method(2),
  },
});
