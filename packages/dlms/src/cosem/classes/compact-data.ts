import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { captureObject } from "../structures.ts";
import { selectedCaptureObject } from "./selected-capture.ts";

const CAPTURE_METHODS = { invoke: 0, implicit: 1 } as const;
const methods = { reset: method(1), capture: method(2) };

function attributesOf<T>(captureObjects: T) {
  return {
    /** The values without their types: `templateDescription` says what they are. */
    compactBuffer: attribute(2, d.octetString),
    captureObjects,
    templateId: attribute(4, d.unsigned),
    /** Tags and counts of the values in the buffer, as contents-description of a compact-array. */
    templateDescription: attribute(5, d.octetString),
    captureMethod: attribute(6, d.enumeration(CAPTURE_METHODS)),
  };
}

/** Compact data: class_id 62, version 0 (Blue Book 4.3.10, edition 12). */
export const CompactDataV0 = interfaceClass({
  id: 62,
  version: 0,
  name: "Compact data",
  attributes: attributesOf(attribute(3, d.array(captureObject))),
  methods,
});

/** Compact data, version 1 (edition 14): columns may restrict what they capture of a profile. */
export const CompactData = interfaceClass({
  id: 62,
  version: 1,
  name: "Compact data",
  attributes: attributesOf(attribute(3, d.array(selectedCaptureObject))),
  methods,
});
