import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";
import { data } from "../data/data.ts";

/** Cosem-Attribute-Descriptor ::= SEQUENCE { class-id, instance-id, attribute-id } */
export const attributeDescriptor = c.struct({
  classId: c.unsigned16,
  instanceId: c.fixedBytes(6),
  attributeId: c.integer8,
});
export type AttributeDescriptor = Infer<typeof attributeDescriptor>;

/** Cosem-Method-Descriptor ::= SEQUENCE { class-id, instance-id, method-id } */
export const methodDescriptor = c.struct({
  classId: c.unsigned16,
  instanceId: c.fixedBytes(6),
  methodId: c.integer8,
});
export type MethodDescriptor = Infer<typeof methodDescriptor>;

/** Selective-Access-Descriptor ::= SEQUENCE { access-selector Unsigned8, access-parameters Data } */
export const selectiveAccess = c.struct({ selector: c.unsigned8, parameters: data });
export type SelectiveAccess = Infer<typeof selectiveAccess>;

/** Cosem-Attribute-Descriptor-With-Selection ::= SEQUENCE { descriptor, access-selection OPTIONAL } */
export const attributeWithSelection = c.struct({
  attribute: attributeDescriptor,
  access: c.optional(selectiveAccess),
});
export type AttributeWithSelection = Infer<typeof attributeWithSelection>;
