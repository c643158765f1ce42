import { type FieldValue, object, optional, whole } from "@meterkeep/guard";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { instanceOf } from "../profile/object-name.ts";
import { offered } from "./not-offered.ts";
import type { Operation } from "./operation.ts";
import { compare, compared, settle, settled, wantedOf } from "./settle.ts";

const threshold = optional(whole(-0x8000_0000, 0xffff_ffff));
const duration = optional(whole(0, 0xffff_ffff));
const parameters = object({
  /** In the unit and scaler of what the limiter watches, mostly watts. */
  normal: threshold,
  emergency: threshold,
  /** How long over the threshold before it acts, and how long under it. */
  overSeconds: duration,
  underSeconds: duration,
});
type LimiterParameters = FieldValue<typeof parameters>;

function command(of: LimiterParameters, profile: MeterProfile) {
  const { obis, type } = offered(profile.limiter, "limiter", profile);
  return { kind: "limiter", instance: instanceOf(obis), type, ...of } as const;
}

/** Gives a limiter its thresholds and durations; what is absent is left as it is. */
export const limiterOperation: Operation<LimiterParameters> = {
  name: "limiter",
  parameters,
  words: (of) =>
    `set the limiter: ${Object.entries(of)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}`,
  command,
  preview: async (on, of) => compared("The limiter", await compare(on, wantedOf(command(of, on.profile), NAMES))),
  run: async (on, of) => settled("The limiter", await settle(on, wantedOf(command(of, on.profile), NAMES))),
};

const NAMES: Readonly<Record<number, string>> = {
  4: "normal threshold",
  5: "emergency threshold",
  6: "time over the threshold",
  7: "time under the threshold",
};
