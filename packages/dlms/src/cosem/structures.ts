import type { Infer } from "../codec/codec.ts";
import { d } from "../data/d.ts";
import { logicalNameData } from "./logical-name-data.ts";

/** scal_unit_type ::= structure { scaler: integer, unit: enum }. A value counts `10^scaler` units (Blue Book 4.3.2). */
export const scalerUnit = d.structure({ scaler: d.integer, unit: d.enum });
export type ScalerUnit = Infer<typeof scalerUnit>;

/** capture_object_definition (Blue Book 4.3.6): one column of a profile. `dataIndex` 0 is the whole attribute. */
export const captureObject = d.structure({
  classId: d.longUnsigned,
  logicalName: logicalNameData,
  attributeIndex: d.integer,
  dataIndex: d.longUnsigned,
});
export type CaptureObject = Infer<typeof captureObject>;

/** An object without saying which part of it. */
export const objectReference = d.structure({ classId: d.longUnsigned, logicalName: logicalNameData });
export type ObjectReference = Infer<typeof objectReference>;

/** value_definition: an attribute of an object. */
export const attributeReference = d.structure({
  classId: d.longUnsigned,
  logicalName: logicalNameData,
  attributeIndex: d.integer,
});
export type AttributeReference = Infer<typeof attributeReference>;

/** action_item: a script of a script table. */
export const scriptReference = d.structure({ scriptLogicalName: logicalNameData, scriptSelector: d.longUnsigned });
export type ScriptReference = Infer<typeof scriptReference>;

/** action_set: what runs when a value rises over a threshold, and when it falls below it. */
export const actionSet = d.structure({ actionUp: scriptReference, actionDown: scriptReference });

/** window_element: from one time to another, wildcards allowed. */
export const timeWindow = d.structure({ startTime: d.dateTime, endTime: d.dateTime });
export type TimeWindow = Infer<typeof timeWindow>;
