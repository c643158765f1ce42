import type { ModelObject } from "@meterkeep/dlms";
import type { VirtualMeter } from "../virtual-meter.ts";
import { data } from "./identity.ts";

const SECONDARY_AMPERES = 5;
/** Current transformers are made in such steps. */
const STEP_AMPERES = 50;
const LINE_VOLTS = 400;

/** What a meter behind current transformers says of them: how much flows in the line where so much flows in the meter. */
export function transformerRatioObjects(): ModelObject<VirtualMeter>[] {
  return [
    data("1.0.0.4.2.255", ({ record }) => ({ type: "long-unsigned", value: primaryAmperes(record.ratedKva) })),
    data("1.0.0.4.5.255", () => ({ type: "long-unsigned", value: SECONDARY_AMPERES })),
  ];
}

function primaryAmperes(ratedKva: number): number {
  const amperes = (1_000 * ratedKva) / (Math.sqrt(3) * LINE_VOLTS);
  return Math.ceil(amperes / STEP_AMPERES) * STEP_AMPERES;
}
