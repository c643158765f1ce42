import { type FieldValue, object, oneOf, whole } from "@meterkeep/guard";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { instanceOf } from "../profile/object-name.ts";
import { previewed } from "./long-writes.ts";
import { offered } from "./not-offered.ts";
import type { Operation } from "./operation.ts";
import { settle, settled, wantedOf } from "./settle.ts";

const WHAT = ["normal-threshold", "emergency-threshold", "seconds-over", "seconds-under"] as const;
const parameters = object({
  what: oneOf(WHAT),
  /** A threshold in the unit and scaler of what the limiter watches, mostly watts; or seconds. */
  value: whole(-0x8000_0000, 0xffff_ffff),
});
type LimiterParameters = FieldValue<typeof parameters>;

/**
 * Gives a limiter one of its parameters. Only one: each can switch the supply, and no meter may be switched twice in a
 * quarter of an hour (MC-05).
 */
export const limiterOperation: Operation<LimiterParameters> = {
  name: "limiter",
  parameters,
  example: { what: "normal-threshold", value: 6000 },
  words: ({ what, value }) => `set ${what.replace("-", " ")} of the limiter to ${value}`,
  command,
  preview: (on, of) => previewed(on, "The limiter", wanted(of, on.profile)),
  run: async (on, of) => settled("The limiter", await settle(on, wanted(of, on.profile))),
};

function command({ what, value }: LimiterParameters, profile: MeterProfile) {
  const { obis, type } = offered(profile.limiter, "limiter", profile);
  const instance = instanceOf(obis);
  switch (what) {
    case "normal-threshold":
      return { kind: "limiter-threshold", instance, which: "normal", type, threshold: value } as const;
    case "emergency-threshold":
      return { kind: "limiter-threshold", instance, which: "emergency", type, threshold: value } as const;
    case "seconds-over":
      return { kind: "limiter-duration", instance, which: "over", seconds: value } as const;
    case "seconds-under":
      return { kind: "limiter-duration", instance, which: "under", seconds: value } as const;
    default:
      return what satisfies never;
  }
}

function wanted(of: LimiterParameters, profile: MeterProfile) {
  const name = of.what.replace("-", " ");
  return wantedOf(command(of, profile), { 4: name, 5: name, 6: name, 7: name });
}
