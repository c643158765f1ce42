import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";

/** Data (exported as DataClass, since `Data` is the type of any value): class_id 1, version 0 (Blue Book 4.3.1). */
export const DataClass = interfaceClass({
  id: 1,
  version: 0,
  name: "Data",
  attributes: { value: attribute(2, d.any) },
});
