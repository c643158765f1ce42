import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { attributeReference } from "../structures.ts";

/** Entries by number from 1, both included. */
const entries = d.structure({
  arrayObjectId: d.unsigned,
  entries: d.structure({ fromEntry: d.longUnsigned, toEntry: d.longUnsigned }),
});
const entry = d.structure({
  arrayObjectId: d.unsigned,
  entry: d.structure({ entryIndex: d.longUnsigned, entry: d.any }),
});

/** Array manager: class_id 123, version 0 (Blue Book 4.4.11, edition 14): reads and edits arrays of other objects entry by entry. */
export const ArrayManager = interfaceClass({
  id: 123,
  version: 0,
  name: "Array manager",
  methodOffset: 0x20,
  attributes: {
    arrayObjectList: attribute(2, d.array(d.structure({ arrayObjectId: d.unsigned, arrayObject: attributeReference }))),
  },
  methods: {
    retrieveNumberOfEntries: method(1, d.unsigned, d.number),
    retrieveEntries: method(2, entries, d.array(d.any)),
    /** Puts the entry before the one that has this number; 0 puts it at the end. */
    insertEntry: method(3, entry),
    updateEntry: method(4, entry),
    removeEntries: method(5, entries),
  },
});
