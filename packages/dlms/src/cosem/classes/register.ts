import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { scalerUnit } from "../structures.ts";

/** Register: class_id 3, version 0 (Blue Book 4.3.2). */
export const Register = interfaceClass({
  id: 3,
  version: 0,
  name: "Register",
  methodOffset: 0x28,
  attributes: { value: attribute(2, d.any), scalerUnit: attribute(3, scalerUnit) },
  methods: { reset: method(1) },
});

/** Extended register: class_id 4, version 0 (Blue Book 4.3.3). */
export const ExtendedRegister = interfaceClass({
  id: 4,
  version: 0,
  name: "Extended register",
  methodOffset: 0x38,
  attributes: {
    value: attribute(2, d.any),
    scalerUnit: attribute(3, scalerUnit),
    status: attribute(4, d.any),
    captureTime: attribute(5, d.dateTime),
  },
  methods: { reset: method(1) },
});
