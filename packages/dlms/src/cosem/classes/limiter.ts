import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";
import { attributeReference, scriptReference } from "../structures.ts";

/** Limiter: class_id 71, version 0 (Blue Book 4.5.9). Thresholds have the type of the monitored value; durations are seconds. */
export const Limiter = interfaceClass({
  id: 71,
  version: 0,
  name: "Limiter",
  attributes: {
    monitoredValue: attribute(2, attributeReference),
    thresholdActive: attribute(3, d.any),
    thresholdNormal: attribute(4, d.any),
    thresholdEmergency: attribute(5, d.any),
    minOverThresholdDuration: attribute(6, d.doubleLongUnsigned),
    minUnderThresholdDuration: attribute(7, d.doubleLongUnsigned),
    emergencyProfile: attribute(
      8,
      d.structure({
        emergencyProfileId: d.longUnsigned,
        emergencyActivationTime: d.dateTime,
        emergencyDuration: d.doubleLongUnsigned,
      }),
    ),
    emergencyProfileGroupIdList: attribute(9, d.array(d.longUnsigned)),
    emergencyProfileActive: attribute(10, d.boolean),
    actions: attribute(
      11,
      d.structure({ actionOverThreshold: scriptReference, actionUnderThreshold: scriptReference }),
    ),
  },
});
