import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";

/**
 * Communication port protection: class_id 124, version 0 (Blue Book 4.4.12, edition 14): slows down who guesses, port by
 * port.
 */
export const CommunicationPortProtection = interfaceClass({
  id: 124,
  version: 0,
  name: "Communication port protection",
  attributes: {
    protectionMode: attribute(2, d.enumeration({ locked: 0, lockedOnFailedAttempts: 1, unlocked: 2 })),
    allowedFailedAttempts: attribute(3, d.longUnsigned),
    /** Seconds. */
    initialLockoutTime: attribute(4, d.doubleLongUnsigned),
    /** Each further lock-out lasts so many times as long as the one before. */
    steepnessFactor: attribute(5, d.unsigned),
    /** Seconds. */
    maxLockoutTime: attribute(6, d.doubleLongUnsigned),
    /** The setup object of the port. */
    portReference: attribute(7, logicalNameData),
    protectionStatus: attribute(8, d.enumeration({ unlocked: 0, temporarilyLocked: 1, locked: 2 })),
    failedAttempts: attribute(9, d.doubleLongUnsigned),
    /** Never reset. */
    cumulativeFailedAttempts: attribute(10, d.doubleLongUnsigned),
  },
  methods: { reset: method(1) },
});
