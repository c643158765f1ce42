import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";

const season = d.structure({
  seasonProfileName: d.octetString,
  /** Wildcards repeat the season, each year for instance. */
  seasonStart: d.dateTime,
  weekName: d.octetString,
});

const week = d.structure({
  weekProfileName: d.octetString,
  monday: d.unsigned,
  tuesday: d.unsigned,
  wednesday: d.unsigned,
  thursday: d.unsigned,
  friday: d.unsigned,
  saturday: d.unsigned,
  sunday: d.unsigned,
});

const day = d.structure({
  dayId: d.unsigned,
  daySchedule: d.array(
    d.structure({ startTime: d.time, scriptLogicalName: logicalNameData, scriptSelector: d.longUnsigned }),
  ),
});

/** Activity calendar: class_id 20, version 0 (Blue Book 4.5.5). */
export const ActivityCalendar = interfaceClass({
  id: 20,
  version: 0,
  name: "Activity calendar",
  methodOffset: 0x50,
  attributes: {
    calendarNameActive: attribute(2, d.octetString),
    seasonProfileActive: attribute(3, d.array(season)),
    weekProfileTableActive: attribute(4, d.array(week)),
    dayProfileTableActive: attribute(5, d.array(day)),
    calendarNamePassive: attribute(6, d.octetString),
    seasonProfilePassive: attribute(7, d.array(season)),
    weekProfileTablePassive: attribute(8, d.array(week)),
    dayProfileTablePassive: attribute(9, d.array(day)),
    activatePassiveCalendarTime: attribute(10, d.dateTime),
  },
  methods: { activatePassiveCalendar: method(1) },
});
