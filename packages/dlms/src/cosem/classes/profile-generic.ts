import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { selector } from "../selective-access.ts";
import { captureObject } from "../structures.ts";

/** range_descriptor: rows whose `restrictingObject` column lies from `fromValue` to `toValue`, both included. */
const rangeDescriptor = d.structure({
  restrictingObject: captureObject,
  fromValue: d.any,
  toValue: d.any,
  /** Columns wanted; empty for all. */
  selectedValues: d.array(captureObject),
});

/** entry_descriptor: rows and columns by number from 1; `toEntry` and `toSelectedValue` 0 mean the last one. */
const entryDescriptor = d.structure({
  fromEntry: d.doubleLongUnsigned,
  toEntry: d.doubleLongUnsigned,
  fromSelectedValue: d.longUnsigned,
  toSelectedValue: d.longUnsigned,
});

/** Profile generic: class_id 7, version 1 (Blue Book 4.3.6). */
export const ProfileGeneric = interfaceClass({
  id: 7,
  version: 1,
  name: "Profile generic",
  methodOffset: 0x58,
  attributes: {
    buffer: attribute(2, d.array(d.any), { range: selector(1, rangeDescriptor), entry: selector(2, entryDescriptor) }),
    captureObjects: attribute(3, d.array(captureObject)),
    /** Seconds between captures; 0 for captures that something else triggers. */
    capturePeriod: attribute(4, d.doubleLongUnsigned),
    sortMethod: attribute(
      5,
      d.enumeration({ fifo: 1, lifo: 2, largest: 3, smallest: 4, nearestToZero: 5, farthestFromZero: 6 }),
    ),
    sortObject: attribute(6, captureObject),
    entriesInUse: attribute(7, d.doubleLongUnsigned),
    profileEntries: attribute(8, d.doubleLongUnsigned),
  },
  methods: { reset: method(1), capture: method(2) },
});
