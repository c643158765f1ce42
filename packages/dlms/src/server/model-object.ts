import type { LogicalName } from "../cosem/logical-name.ts";
import type { ServedClass } from "../cosem/served.ts";
import type { AccessModes } from "./access.ts";

/** An object of the meter: a served class under a logical name. */
export interface ModelObject<State> {
  readonly logicalName: LogicalName;
  readonly served: ServedClass<State>;
  /** Its short name; associations under short names give the next free one to an object without. */
  readonly baseName?: number | undefined;
}

/** An object as one association reaches it. */
export interface ReachableObject<State> extends ModelObject<State> {
  readonly modes: AccessModes;
  /** The next object of the same logical name: some meters give a name to several objects of different classes. */
  readonly sibling?: ReachableObject<State> | undefined;
}
