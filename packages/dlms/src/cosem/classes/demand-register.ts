import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { scalerUnit } from "../structures.ts";

/** Demand register: class_id 5, version 0 (Blue Book 4.3.4). */
export const DemandRegister = interfaceClass({
  id: 5,
  version: 0,
  name: "Demand register",
  methodOffset: 0x48,
  attributes: {
    currentAverageValue: attribute(2, d.any),
    lastAverageValue: attribute(3, d.any),
    scalerUnit: attribute(4, scalerUnit),
    status: attribute(5, d.any),
    captureTime: attribute(6, d.dateTime),
    startTimeCurrent: attribute(7, d.dateTime),
    /** Seconds between two updates of the last average. */
    period: attribute(8, d.doubleLongUnsigned),
    /** Periods that the average slides over; 1 for block demand. */
    numberOfPeriods: attribute(9, d.longUnsigned),
  },
  methods: { reset: method(1), nextPeriod: method(2) },
});
