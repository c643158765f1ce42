import type { ModelObject } from "@meterkeep/dlms";

/** An object of a meter that can lie: while it does, what is written and called is acknowledged, and nothing is done. */
export function ableToLie<State>(object: ModelObject<State>, lies: (meter: State) => boolean): ModelObject<State> {
  const { served } = object;
  return {
    ...object,
    served: {
      ...served,
      attributes: served.attributes.map(
        (attribute) =>
          attribute && {
            ...attribute,
            write: (reader, meter, context) =>
              lies(meter) && attribute.writable ? "success" : attribute.write(reader, meter, context),
          },
      ),
      methods: served.methods.map(
        (method) =>
          method && {
            ...method,
            invoke: (parameter, writer, meter, context) =>
              lies(meter) && method.callable ? "success" : method.invoke(parameter, writer, meter, context),
          },
      ),
    },
  };
}
