import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";

const script = d.structure({
  scriptIdentifier: d.longUnsigned,
  actions: d.array(
    d.structure({
      serviceId: d.enumeration({ write: 1, execute: 2 }),
      classId: d.longUnsigned,
      logicalName: logicalNameData,
      index: d.integer,
      parameter: d.any,
    }),
  ),
});

/** Script table: class_id 9, version 0 (Blue Book 4.5.2). */
export const ScriptTable = interfaceClass({
  id: 9,
  version: 0,
  name: "Script table",
  methodOffset: 0x20,
  attributes: { scripts: attribute(2, d.array(script)) },
  methods: { execute: method(1, d.longUnsigned) },
});
