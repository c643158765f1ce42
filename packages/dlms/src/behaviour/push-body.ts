import { decode } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import { ProfileGeneric } from "../cosem/classes/profile-generic.ts";
import type { SelectedCaptureObject } from "../cosem/classes/selected-capture.ts";
import { type SelectiveAccessDescriptor, selectionToDescriptor } from "../cosem/selective-access.ts";
import type { CaptureObject } from "../cosem/structures.ts";
import { data } from "../data/data.ts";
import { DATA_TAGS, type Data } from "../data/value.ts";
import type { ObjectTree } from "./object-tree.ts";

/** An element of a push object list of any version: restriction and columns are there from versions 1 and 2. */
export type PushObject = CaptureObject & Partial<Pick<SelectedCaptureObject, "restriction" | "columns">>;

const PROFILE_CLASS = 7;
const BUFFER = 2;
const CLOCK: CaptureObject = { classId: 8, logicalName: "0.0.1.0.0.255", attributeIndex: 2, dataIndex: 0 };

/** The body of a push: a structure of the values of its objects. What cannot be read is null-data. */
export function pushBody<State>(objects: readonly PushObject[], tree: ObjectTree<State>): Data {
  const writer = new Writer();
  writer.unsigned8(DATA_TAGS.structure);
  writer.length(objects.length);
  for (const object of objects) writer.octets(tree.capture(object, selectionOf(object)));
  return decode(data, writer.finish());
}

/** The part of a profile that an element asks for (Blue Book 4.4.8, restriction_element and columns). */
function selectionOf({
  classId,
  attributeIndex,
  restriction,
  columns,
}: PushObject): SelectiveAccessDescriptor | undefined {
  if (classId !== PROFILE_CLASS || attributeIndex !== BUFFER || restriction === undefined) return undefined;
  const { selection } = ProfileGeneric.attributes.buffer;
  const limits = restriction.restrictionValue;
  const [from, to] = limits.type === "structure" ? limits.value : [];
  if (restriction.restrictionType === "byDate" && from !== undefined && to !== undefined)
    return selectionToDescriptor(selection, {
      kind: "range",
      value: { restrictingObject: CLOCK, fromValue: from, toValue: to, selectedValues: columns ?? [] },
    });
  if (restriction.restrictionType === "byEntry" && from !== undefined && to !== undefined)
    return selectionToDescriptor(selection, {
      kind: "entry",
      value: { fromEntry: numberOf(from), toEntry: numberOf(to), fromSelectedValue: 1, toSelectedValue: 0 },
    });
  if (columns === undefined || columns.length === 0) return undefined;
  return selectionToDescriptor(selection, {
    kind: "range",
    value: { restrictingObject: CLOCK, fromValue: OPEN, toValue: OPEN, selectedValues: columns },
  });
}

/** A date-time of which nothing is specified: a side of a range that is left open. */
const OPEN: Data = {
  type: "octet-string",
  value: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0xff),
};

function numberOf(value: Data): number {
  return typeof value.value === "number" ? value.value : 0;
}
