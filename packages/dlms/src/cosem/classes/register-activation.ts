import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { objectReference } from "../structures.ts";

const mask = d.structure({
  maskName: d.octetString,
  /** Places in `registerAssignment`, from 1. */
  indexList: d.array(d.unsigned),
});

/** Register activation: class_id 6, version 0 (Blue Book 4.3.5). Says which registers count while a tariff is in force. */
export const RegisterActivation = interfaceClass({
  id: 6,
  version: 0,
  name: "Register activation",
  methodOffset: 0x30,
  attributes: {
    registerAssignment: attribute(2, d.array(objectReference)),
    maskList: attribute(3, d.array(mask)),
    activeMask: attribute(4, d.octetString),
  },
  methods: {
    addRegister: method(1, objectReference),
    addMask: method(2, mask),
    deleteMask: method(3, d.octetString),
  },
});
