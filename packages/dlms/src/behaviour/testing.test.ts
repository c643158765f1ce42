import assert from "node:assert/strict";
import { decode, encode } from "../codec/codec.ts";
import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import { type AnyInterfaceClass, attributeNumbered, methodNumbered } from "../cosem/any-interface-class.ts";
import type { LogicalName } from "../cosem/logical-name.ts";
import { selectionToDescriptor } from "../cosem/selective-access.ts";
import type { ServedClass } from "../cosem/served.ts";

const context = { logicalName: "0.0.10.0.0.255" as LogicalName, association: "management", clientSap: 1 } as const;

/** A client of one served object, without a wire: tests of behaviours ask through it. */
export function askFor(declared: AnyInterfaceClass, served: ServedClass<undefined>) {
  const numberOf = (name: string) => declared.attributes[name]?.index ?? assert.fail(name);
  return {
    get(name: string, selection?: { readonly kind: string; readonly value: unknown }): unknown {
      const writer = new Writer();
      const attribute = declared.attributes[name];
      const descriptor =
        selection === undefined || attribute === undefined
          ? undefined
          : selectionToDescriptor(attribute.selection, selection);
      const result = served.attributes[numberOf(name)]?.read(writer, undefined, context, descriptor);
      if (result !== "success") return result;
      return decode(attributeNumbered(declared, numberOf(name))?.codec ?? assert.fail(), writer.finish());
    },
    set(name: string, value: unknown): unknown {
      const octets = encode(declared.attributes[name]?.codec ?? assert.fail(name), value);
      return served.attributes[numberOf(name)]?.write(new Reader(octets), undefined, context);
    },
    call(name: string, parameter?: unknown): unknown {
      const index = declared.methods[name]?.index ?? assert.fail(name);
      const method = methodNumbered(declared, index) ?? assert.fail(name);
      const writer = new Writer();
      const reader = new Reader(encode(method.parameter, parameter));
      const result = served.methods[index]?.invoke(reader, writer, undefined, context);
      return result === "success" && method.result !== undefined ? decode(method.result, writer.finish()) : result;
    },
  };
}
