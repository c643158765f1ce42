import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";

const scheduleEntry = d.structure({
  index: d.longUnsigned,
  enable: d.boolean,
  scriptLogicalName: logicalNameData,
  scriptSelector: d.longUnsigned,
  switchTime: d.time,
  /** Minutes after a power failure in which a missed entry still runs; 0xffff for any time. */
  validityWindow: d.longUnsigned,
  /** Monday first. */
  execWeekdays: d.bitString,
  /** Days of the special days table, by day_id. */
  execSpecialDays: d.bitString,
  beginDate: d.date,
  endDate: d.date,
});

/** Schedule: class_id 10, version 0 (Blue Book 4.5.3). */
export const Schedule = interfaceClass({
  id: 10,
  version: 0,
  name: "Schedule",
  methodOffset: 0x20,
  attributes: { entries: attribute(2, d.array(scheduleEntry)) },
  methods: {
    enableDisable: method(
      1,
      d.structure({
        firstIndexA: d.longUnsigned,
        lastIndexA: d.longUnsigned,
        firstIndexB: d.longUnsigned,
        lastIndexB: d.longUnsigned,
      }),
    ),
    insert: method(2, scheduleEntry),
    delete: method(3, d.structure({ firstIndex: d.longUnsigned, lastIndex: d.longUnsigned })),
  },
});
