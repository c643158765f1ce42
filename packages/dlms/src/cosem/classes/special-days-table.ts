import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

const specialDay = d.structure({ index: d.longUnsigned, specialDayDate: d.date, dayId: d.unsigned });

/** Special days table: class_id 11, version 0 (Blue Book 4.5.4). */
export const SpecialDaysTable = interfaceClass({
  id: 11,
  version: 0,
  name: "Special days table",
  methodOffset: 0x10,
  attributes: { entries: attribute(2, d.array(specialDay)) },
  methods: { insert: method(1, specialDay), delete: method(2, d.longUnsigned) },
});
