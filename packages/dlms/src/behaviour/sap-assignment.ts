import type { Infer } from "../codec/codec.ts";
import { SapAssignment } from "../cosem/classes/sap-assignment.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";

/** A logical device and where it is reached. */
export type LogicalDevice = Infer<typeof SapAssignment.attributes.sapAssignmentList.codec>[number];

/** What serving a SAP assignment needs of the meter. */
export interface SapAssignmentPorts<State> {
  readonly devices: (state: State, context: ServeContext) => readonly LogicalDevice[];
  /** Moves a logical device to another place, or with `sap` 0 off the bus; without it they stay where they are. */
  readonly connect?: (device: LogicalDevice, state: State, context: ServeContext) => boolean;
}

/** Serves class 17 (Blue Book 4.4.5). */
export function serveSapAssignment<State>({ devices, connect }: SapAssignmentPorts<State>): ServedClass<State> {
  return SapAssignment.serve<State>({
    get: { sapAssignmentList: devices },
    ...(connect !== undefined && {
      call: {
        connectLogicalDevice: ({ sap, logicalDeviceName }, state, context) =>
          connect({ sap, logicalDeviceName: logicalDeviceName.slice() }, state, context)
            ? undefined
            : refuse("other-reason"),
      },
    }),
  });
}
