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

/** value_definition: an attribute of an object. */
export const attributeReference = d.structure({
  classId: d.longUnsigned,
  logicalName: logicalNameData,
  attributeIndex: d.integer,
});

/** action_item: a script of a script table. */
export const scriptReference = d.structure({ scriptLogicalName: logicalNameData, scriptSelector: d.longUnsigned });
