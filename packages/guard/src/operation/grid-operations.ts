import { data, dateTimeAt, encode, fromHex, toHex } from "@meterkeep/dlms";
import { instant, whole } from "../canonical/field.ts";
import { type AllowedAct, exactAct, logicalName } from "./allowed-act.ts";
import { operationKind } from "./operation-kind.ts";

const INTEGER_0 = "0f00";
/** The meter's own disconnector, 0-0:96.3.10.255: whatever is said of it, the supply passes through it. */
const OWN_DISCONNECTOR = "000060030aff";
/** 2000-01-01: a profile that is active since then is active at once, whatever the meter's clock says. */
export const AT_ONCE = 946_684_800_000;
/** What a duration holds at most, in seconds: until somebody ends it. */
export const UNTIL_RESTORED = 0xffff_ffff;

const relay = { instance: logicalName } as const;
const profile = { instance: logicalName, profileId: whole(0, 0xffff) } as const;
const relayAct = (instance: string, method: 1 | 2): readonly AllowedAct[] => [
  exactAct("action", { classId: 70, instance, member: method }, INTEGER_0),
];

/** Relays, and the limiter's emergency profile: what takes load or injection off the grid, and gives it back. */
export const GRID_OPERATIONS = {
  disconnect: operationKind({
    fields: relay,
    acts: ({ instance }) => relayAct(instance, 1),
    words: ({ instance }) =>
      isOwn(instance) ? "disconnect the supply" : `open the relay of a load, ${nameOf(instance)}`,
    direction: "off",
  }),
  reconnect: operationKind({
    fields: relay,
    acts: ({ instance }) => relayAct(instance, 2),
    words: ({ instance }) =>
      isOwn(instance) ? "reconnect the supply" : `close the relay of a load, ${nameOf(instance)}`,
    direction: "on",
  }),
  "injection-stop": operationKind({
    fields: relay,
    acts: ({ instance }) => relayAct(instance, 1),
    words: ({ instance }) => `stop the injection behind relay ${nameOf(instance)}`,
    direction: "feed-off",
    problem: ({ instance }) => ownProblem(instance),
  }),
  "injection-release": operationKind({
    fields: relay,
    acts: ({ instance }) => relayAct(instance, 2),
    words: ({ instance }) => `let the injection behind relay ${nameOf(instance)} go on`,
    direction: "feed-on",
    problem: ({ instance }) => ownProblem(instance),
  }),
  "grid-limit": operationKind({
    fields: {
      ...profile,
      /** In the meter's time; {@link AT_ONCE} is at once. */
      from: instant,
      /** How long; {@link UNTIL_RESTORED} until it is ended. */
      seconds: whole(1, UNTIL_RESTORED),
    },
    acts: ({ instance, profileId, from, seconds }) => [emergencyProfile(instance, profileId, from, seconds)],
    words: ({ seconds }) =>
      `limit the load to the emergency threshold ${seconds === UNTIL_RESTORED ? "until that is ended" : `for ${seconds} s`}`,
    direction: "off",
  }),
  "grid-restore": operationKind({
    fields: profile,
    // No time at all: whatever the profile's id, nothing is limited by it.
    acts: ({ instance, profileId }) => [emergencyProfile(instance, profileId, AT_ONCE, 0)],
    words: () => "end the limit of the load to the emergency threshold",
    direction: "on",
  }),
} as const;

function isOwn(instance: string): boolean {
  return instance === OWN_DISCONNECTOR;
}

function ownProblem(instance: string): string | undefined {
  return isOwn(instance) ? "the supply passes through 0-0:96.3.10.255: it is no relay of injection" : undefined;
}

function nameOf(instance: string): string {
  const [a, b, c, d, e, f] = fromHex(instance);
  return `${a}-${b}:${c}.${d}.${e}.${f}`;
}

/** emergency_profile (Blue Book 4.5.9): the emergency threshold counts for so many seconds from a time on. */
function emergencyProfile(instance: string, profileId: number, from: number, seconds: number): AllowedAct {
  const octets = encode(data, {
    type: "structure",
    value: [
      { type: "long-unsigned", value: profileId },
      // The type octet of a date-time gives way to that of an octet string, as meters take it.
      { type: "octet-string", value: encode(data, { type: "date-time", value: dateTimeAt(from) }).subarray(1) },
      { type: "double-long-unsigned", value: seconds },
    ],
  });
  return exactAct("set", { classId: 71, instance, member: 8 }, toHex(octets));
}
