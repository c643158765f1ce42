import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { objectReference } from "../structures.ts";

const functionStatus = d.structure({ functionName: d.octetString, functionStatus: d.boolean });
const functionDefinition = d.structure({
  functionName: d.octetString,
  /** The objects that make up the function. */
  functionSpecifications: d.array(objectReference),
});

/** Function control: class_id 122, version 0 (Blue Book 4.4.10): functions of the meter that can be switched on and off. */
export const FunctionControl = interfaceClass({
  id: 122,
  version: 0,
  name: "Function control",
  methodOffset: 0x20,
  attributes: {
    activationStatus: attribute(2, d.array(functionStatus)),
    functionList: attribute(3, d.array(functionDefinition)),
  },
  methods: {
    setFunctionStatus: method(1, d.array(functionStatus)),
    addFunction: method(2, functionDefinition),
    removeFunction: method(3, d.octetString),
  },
});
