import { type FieldValue, object, optional, shaped, text, Wrong, whole } from "@meterkeep/guard";
import { HeadEndError } from "../errors.ts";
import type { MeterProfile, PushSetupFacts } from "../profile/meter-profile.ts";
import { instanceOf } from "../profile/object-name.ts";
import { previewed } from "./long-writes.ts";
import type { Operation } from "./operation.ts";
import { settle, settled, wantedOf } from "./settle.ts";

const TRANSPORTS = { tcp: 0, udp: 1 } as const;
/** A-XDR. */
const MESSAGE = 0;

const name = text(64);
const shortSeconds = optional(whole(0, 0xffff));
const retries = optional(whole(0, 255));

/** Which destinations are ours now: `host:port`, as meters are given them. */
export type OwnDestinations = () => readonly string[];

/**
 * Sets where a meter pushes and how it spreads and repeats its pushes. Only a destination of ours is taken, so that a
 * mistyped one is refused before anybody is asked to approve it (MC-21).
 */
export function pushSetupOperation(own: OwnDestinations) {
  const parameters = object({
    /** As the meter profile calls it: `report`, `alarm`. */
    setup: name,
    destination: shaped(
      (value: unknown): string | Wrong =>
        typeof value === "string" && own().includes(value)
          ? value
          : new Wrong("not a push destination of this head-end"),
      { kind: "text", most: 256 },
    ),
    /** The most that a push waits at random. */
    randomisationSeconds: shortSeconds,
    retries,
    repetitionSeconds: shortSeconds,
  });
  type PushSetupParameters = FieldValue<typeof parameters>;

  const command = ({ setup, ...of }: PushSetupParameters, profile: MeterProfile) => {
    const { obis, transport } = setupOf(setup, profile);
    return {
      kind: "push-setup",
      instance: instanceOf(obis),
      transport: TRANSPORTS[transport],
      message: MESSAGE,
      ...of,
    } as const;
  };

  const operation: Operation<PushSetupParameters> = {
    name: "push-setup",
    parameters,
    example: {
      setup: "alarm",
      destination: own()[0] ?? "",
      randomisationSeconds: 900,
      retries: 3,
      repetitionSeconds: 60,
    },
    words: ({ setup, destination }) => `let push setup ${setup} send to ${destination}`,
    command,
    preview: (on, of) => previewed(on, "The push setup", wantedOf(command(of, on.profile), NAMES)),
    run: async (on, of) => settled("The push setup", await settle(on, wantedOf(command(of, on.profile), NAMES))),
  };
  return operation;
}

const NAMES: Readonly<Record<number, string>> = {
  3: "destination",
  5: "randomisation",
  6: "retries",
  7: "delay between retries",
};

function setupOf(setup: string, profile: MeterProfile): PushSetupFacts {
  const found = profile.pushSetups.find((each) => each.name === setup);
  if (found !== undefined) return found;
  const known = profile.pushSetups.map((each) => each.name).join(", ");
  throw new HeadEndError(
    "operation-not-offered",
    `meters of profile ${profile.name} have no push setup "${setup}"; known are ${known}`,
  );
}
