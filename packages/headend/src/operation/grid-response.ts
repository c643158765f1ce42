import { AT_ONCE, type FieldValue, object, optional, shaped, UNTIL_RESTORED, whole } from "@meterkeep/guard";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { instanceOf } from "../profile/object-name.ts";
import { previewed } from "./long-writes.ts";
import { offered } from "./not-offered.ts";
import type { Operation } from "./operation.ts";
import { settle, settled, wantedOf } from "./settle.ts";

const LONGEST_MINUTES = 1_440;
const MINUTE_SECONDS = 60;

const limitParameters = object({
  /** When it begins, in milliseconds since 1970 by the meters' clocks; at once unless given. */
  from: optional(shaped(whole(0, Number.MAX_SAFE_INTEGER), { kind: "time", as: "milliseconds" })),
  /** How long, counted from `from`, which has to be given with it: then it ends by itself. Until it is restored unless given. */
  minutes: optional(whole(1, LONGEST_MINUTES)),
});
const restoreParameters = object({});

/**
 * Limits the load of a home to the limiter's emergency threshold, through its emergency profile (Blue Book 4.5.9): one
 * attribute, so that a feeder is reached within a minute, and ended without writing any threshold anew.
 */
export const gridLimitOperation: Operation<FieldValue<typeof limitParameters>> = {
  name: "grid-limit",
  parameters: limitParameters,
  example: {},
  words: ({ minutes }) =>
    `limit the load to the emergency threshold${minutes === undefined ? "" : ` for ${minutes} min`}`,
  command: limitCommand,
  preview: (on, of) => previewed(on, "The limit", wanted(limitCommand(of, on.profile))),
  run: async (on, of) => settled("The limit", await settle(on, wanted(limitCommand(of, on.profile)))),
};

/** Ends what `grid-limit` began. It can limit nothing, and waits for no cap. */
export const gridRestoreOperation: Operation<FieldValue<typeof restoreParameters>> = {
  name: "grid-restore",
  parameters: restoreParameters,
  example: {},
  words: () => "end the limit of the load",
  command: restoreCommand,
  preview: (on, of) => previewed(on, "The limit", wanted(restoreCommand(of, on.profile))),
  run: async (on, of) => settled("The limit", await settle(on, wanted(restoreCommand(of, on.profile)))),
};

function limitCommand({ from, minutes }: FieldValue<typeof limitParameters>, profile: MeterProfile) {
  const seconds = from === undefined || minutes === undefined ? UNTIL_RESTORED : minutes * MINUTE_SECONDS;
  return { kind: "grid-limit", ...limiterOf(profile), from: from ?? AT_ONCE, seconds } as const;
}

function restoreCommand(_: FieldValue<typeof restoreParameters>, profile: MeterProfile) {
  return { kind: "grid-restore", ...limiterOf(profile) } as const;
}

function limiterOf(profile: MeterProfile) {
  const { obis, emergencyProfile } = offered(profile.limiter, "limiter", profile);
  return {
    instance: instanceOf(obis),
    profileId: offered(emergencyProfile, "emergency profile of the limiter", profile),
  };
}

function wanted(command: ReturnType<typeof limitCommand> | ReturnType<typeof restoreCommand>) {
  return wantedOf(command, { 8: "emergency profile" });
}
