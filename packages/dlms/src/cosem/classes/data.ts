import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";

/** Data: class_id 1, version 0 (Blue Book 4.3.1). */
export const Data = interfaceClass({ id: 1, version: 0, attributes: { value: attribute(2, d.any) } });
