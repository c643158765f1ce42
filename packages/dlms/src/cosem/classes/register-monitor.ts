import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";
import { actionSet, attributeReference } from "../structures.ts";

/** Register monitor: class_id 21, version 0 (Blue Book 4.5.7). Thresholds have the type of the monitored value. */
export const RegisterMonitor = interfaceClass({
  id: 21,
  version: 0,
  name: "Register monitor",
  attributes: {
    thresholds: attribute(2, d.array(d.any)),
    monitoredValue: attribute(3, attributeReference),
    /** One set a threshold, in the same order. */
    actions: attribute(4, d.array(actionSet)),
  },
});
