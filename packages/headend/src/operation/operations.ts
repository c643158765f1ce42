import { Wrong } from "@meterkeep/guard";
import { HeadEndError } from "../errors.ts";
import { clockOperation } from "./clock.ts";
import type { Operation } from "./operation.ts";

const ALL: readonly Operation[] = [clockOperation];

/** Everything that a head-end does with meters, by name. What switches a supply is the campaigns' own. */
export const METER_OPERATIONS: ReadonlyMap<string, Operation> = new Map(ALL.map((each) => [each.name, each]));

/** Reads the parameters of an operation from JSON. @throws HeadEndError `operation-invalid` */
export function parametersOf<P>(operation: Operation<P>, json: unknown): P {
  const read = operation.parameters(json);
  if (read instanceof Wrong) throw new HeadEndError("operation-invalid", `${operation.name}: ${read.why}`);
  return read;
}
