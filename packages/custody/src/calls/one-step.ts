import type { LeavingMeters } from "../departure/leaving-meters.ts";
import { CallRefusal } from "./call-refusal.ts";

/** What a principal advances step by step, over a line that may be slow. */
export interface Advanced {
  busy: boolean;
}

/** A contact with a meter that is to be advanced. */
export interface ToAdvance {
  readonly live: Advanced;
  readonly systemTitle: string;
  readonly leaving: Pick<LeavingMeters, "during">;
}

/**
 * One step of a contact, and no second beside it. What is durable is durable; what this process believes of a contact whose step
 * went wrong is not worth keeping: `drop` forgets it.
 *
 * @throws CallRefusal `meter-busy`, `meter-leaving`, and what `step` throws.
 */
export function oneStep<T>(
  { live, systemTitle, leaving }: ToAdvance,
  step: () => Promise<T>,
  drop: () => void,
): Promise<T> {
  return leaving.during([systemTitle], () => alone(live, step, drop));
}

async function alone<T>(live: Advanced, step: () => Promise<T>, drop: () => void): Promise<T> {
  if (live.busy) throw new CallRefusal("meter-busy", "this contact is being advanced already");
  live.busy = true;
  try {
    return await step();
  } catch (error) {
    drop();
    throw error;
  } finally {
    live.busy = false;
  }
}
