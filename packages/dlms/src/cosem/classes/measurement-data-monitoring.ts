import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { scalerUnit } from "../structures.ts";

/** Measurement data monitoring objects: class_id 66, version 0 (Blue Book 4.3.11, edition 16): samples around a trigger. */
export const MeasurementDataMonitoring = interfaceClass({
  id: 66,
  version: 0,
  name: "Measurement data monitoring",
  attributes: {
    /** A compact-array of samples. */
    waveformData: attribute(2, d.any),
    /** Microseconds of the meter's clock. */
    triggerTime: attribute(3, d.long64Unsigned),
    triggerSource: attribute(
      4,
      d.structure({ triggerOrigin: d.openEnumeration({ remote: 0, localScript: 1 }), triggerCause: d.longUnsigned }),
    ),
    status: attribute(5, d.enum),
    /** Samples a second. */
    samplingRate: attribute(6, d.doubleLongUnsigned),
    numberOfSamplesBeforeTrigger: attribute(7, d.doubleLongUnsigned),
    numberOfSamplesAfterTrigger: attribute(8, d.doubleLongUnsigned),
    scalerUnit: attribute(9, scalerUnit),
  },
  methods: { reset: method(1), trigger: method(2) },
});
