import { matching } from "@meterkeep/guard";
import type { Operation } from "./operation.ts";

/** An object by its code, as people write it. */
export const obis = matching(/^\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}$/, "a code such as 1-0:1.8.0");

/** An operation that only reads: its dry run would be itself, and says what would be read. */
export function reading<P>(of: Pick<Operation<P>, "name" | "parameters" | "example" | "words" | "run">): Operation<P> {
  return {
    ...of,
    command: () => undefined,
    preview: async (_, parameters) => ({
      changes: false,
      sentence: `It would ${of.words(parameters)}.`,
      readBack: [],
      findings: [],
    }),
  };
}
