import type { Infer } from "../../codec/codec.ts";
import { d } from "../../data/d.ts";
import { logicalNameData } from "../logical-name-data.ts";
import { captureObject } from "../structures.ts";

/** restriction_element: which part of a profile's buffer goes along. `value` is null-data, a pair of dates or of entries. */
const restriction = d.structure({
  restrictionType: d.openEnumeration({ none: 0, byDate: 1, byEntry: 2 }),
  restrictionValue: d.any,
});
export type Restriction = Infer<typeof restriction>;

const columnOf = {
  classId: d.longUnsigned,
  logicalName: logicalNameData,
  attributeIndex: d.integer,
  dataIndex: d.longUnsigned,
  restriction,
};

/** A column that can be a part of a profile (Blue Book 4.3.10 and 4.4.8, from edition 13). */
export const restrictedCaptureObject = d.structure(columnOf);

/** As before, with the columns of the profile that are wanted; none means all (edition 14). */
export const selectedCaptureObject = d.structure({ ...columnOf, columns: d.array(captureObject) });
export type SelectedCaptureObject = Infer<typeof selectedCaptureObject>;
