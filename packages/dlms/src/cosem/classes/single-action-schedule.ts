import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";
import { scriptReference } from "../structures.ts";

/** Single action schedule: class_id 22, version 0 (Blue Book 4.5.6). */
export const SingleActionSchedule = interfaceClass({
  id: 22,
  version: 0,
  name: "Single action schedule",
  attributes: {
    executedScript: attribute(2, scriptReference),
    /** 1: one execution time, wildcards allowed; 2 to 5: several, as the Blue Book tells them apart. */
    type: attribute(3, d.enum),
    executionTime: attribute(4, d.array(d.structure({ time: d.time, date: d.date }))),
  },
});
