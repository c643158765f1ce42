import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { actionSet, attributeReference, scalerUnit } from "../structures.ts";

/** Sensor manager: class_id 67, version 0 (Blue Book 4.5.11): a sensor with its seals, its raw value and its thresholds. */
export const SensorManager = interfaceClass({
  id: 67,
  version: 0,
  name: "Sensor manager",
  methodOffset: 0x80,
  attributes: {
    serialNumber: attribute(2, d.octetString),
    metrologicalIdentification: attribute(3, d.octetString),
    outputType: attribute(4, d.enum),
    adjustmentMethod: attribute(5, d.octetString),
    sealingMethod: attribute(6, d.enum),
    rawValue: attribute(7, d.any),
    scalerUnit: attribute(8, scalerUnit),
    status: attribute(9, d.any),
    captureTime: attribute(10, d.dateTime),
    rawValueThresholds: attribute(11, d.array(d.any)),
    rawValueActions: attribute(12, d.array(actionSet)),
    processedValue: attribute(13, attributeReference),
    processedValueThresholds: attribute(14, d.array(d.any)),
    processedValueActions: attribute(15, d.array(actionSet)),
  },
  methods: { reset: method(1) },
});
