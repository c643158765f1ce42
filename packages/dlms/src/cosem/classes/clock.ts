import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

/** Clock: class_id 8, version 0 (Blue Book 4.5.1). */
export const Clock = interfaceClass({
  id: 8,
  version: 0,
  name: "Clock",
  methodOffset: 0x60,
  attributes: {
    time: attribute(2, d.dateTime),
    /** Minutes from local time to UTC: -60 for Central European Time. */
    timeZone: attribute(3, d.long),
    status: attribute(4, d.unsigned),
    daylightSavingsBegin: attribute(5, d.dateTime),
    daylightSavingsEnd: attribute(6, d.dateTime),
    /** Minutes, -120 to 120. */
    daylightSavingsDeviation: attribute(7, d.integer),
    daylightSavingsEnabled: attribute(8, d.boolean),
    clockBase: attribute(
      9,
      d.enumeration({ notDefined: 0, internalCrystal: 1, mains50Hz: 2, mains60Hz: 3, gps: 4, radioControlled: 5 }),
    ),
  },
  methods: {
    adjustToQuarter: method(1),
    adjustToMeasuringPeriod: method(2),
    adjustToMinute: method(3),
    adjustToPresetTime: method(4),
    presetAdjustingTime: method(
      5,
      d.structure({
        presetTime: d.dateTime,
        validityIntervalStart: d.dateTime,
        validityIntervalEnd: d.dateTime,
      }),
    ),
    /** Seconds, -900 to 900. */
    shiftTime: method(6, d.long),
  },
});
