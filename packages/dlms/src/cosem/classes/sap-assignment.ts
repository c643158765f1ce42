import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

const logicalDevice = d.structure({ sap: d.longUnsigned, logicalDeviceName: d.octetString });

/** SAP assignment: class_id 17, version 0 (Blue Book 4.4.5). */
export const SapAssignment = interfaceClass({
  id: 17,
  version: 0,
  name: "SAP assignment",
  methodOffset: 0x20,
  attributes: { sapAssignmentList: attribute(2, d.array(logicalDevice)) },
  methods: { connectLogicalDevice: method(1, logicalDevice) },
});
