import type { ProtectionGrade } from "@meterkeep/api";
import { type Layout, readOpenedTelegrams, type SecurityFacts, type Telegram } from "@meterkeep/dlms";
import { HeadEndError } from "../errors.ts";
import type { Meter } from "../inventory/meter.ts";
import { findMeterProfile } from "../profile/meter-profile.ts";
import { foreignText } from "../reading/foreign-text.ts";
import { measuresBothWays, netPowerW } from "../reading/net-power.ts";
import type { EvidenceRecord, MisdatedStretch, ReadResult, RegisterRecord } from "../reading/result.ts";
import { evidenceHash } from "../session/ladder.ts";
import { isIncident, isMisdating } from "../time/clock-check.ts";
import type { TimeZone } from "../time/time-zone.ts";
import { ALARM_LAYOUTS, pushLayoutOf } from "./push-layout.ts";

/** A push as the custodian opened it. */
export interface OpenedPush {
  /** As received. */
  readonly protectedApdu: Uint8Array;
  readonly plainApdu: Uint8Array;
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  readonly counter: number;
  /** Milliseconds since 1970 UTC on our clock. */
  readonly receivedAt: number;
}

/** How a push was protected. */
export function pushProtection(push: Pick<OpenedPush, "authenticated" | "encrypted">): ProtectionGrade {
  if (push.authenticated) return "authenticated";
  return push.encrypted ? "confidential" : "none";
}

/**
 * The readings of a push. A value without a time of its own has that of its notification, and where that says none the
 * time at which it came. Values are told as misdated where the clock that dated them is off by more than is let be: the last
 * session found it so (`knownOffSeconds`, meter minus reference), or they bear a time that has not come yet.
 *
 * @throws HeadEndError `push-refused` where it opened and makes no sense.
 */
export function readPush(
  meter: Meter,
  push: OpenedPush,
  receivedAtSource: number,
  knownOffSeconds: number | undefined,
): ReadResult {
  const profile = findMeterProfile(meter.profile);
  const telegrams = telegramsOf(meter, push, pushLayoutOf(meter));
  const evidence: EvidenceRecord = {
    hash: evidenceHash(push.protectedApdu),
    octets: push.protectedApdu,
    plain: push.plainApdu,
    protection: pushProtection(push),
    receivedAt: push.receivedAt,
  };
  const read = (from: readonly Telegram[]) =>
    from.flatMap((telegram) => registersOf(telegram, profile?.timeZone, evidence, receivedAtSource));
  const reported = read(telegrams);
  // What does not look like a report of its profile may be an alarm.
  const registers = ALARM_LAYOUTS.reduce(
    (found, layout) => (found.length > 0 ? found : read(telegramsOf(meter, push, layout))),
    reported,
  );
  const misdated = misdatedOf(meter, push, registers, receivedAtSource, knownOffSeconds);
  const powerW = netPowerW(registers, measuresBothWays(profile));
  const energyWh = registers.findLast(({ obis, unit }) => obis === "1-0:1.8.0" && unit === "Wh")?.value;
  return {
    registers,
    intervals: [],
    covered: [],
    ...(misdated === undefined ? {} : { misdated: [misdated] }),
    ...(powerW === undefined ? {} : { powerW }),
    ...(typeof energyWh === "number" ? { energyWh } : {}),
  };
}

/**
 * P-8. The finding is about the whole interval of the newest value, so that a meter that pushes all the time is told of once in each.
 * What comes late proves nothing: a push may wait at the meter or be held up by whoever carries it, and none comes before it
 * was sent. A local time of nobody knows where proves nothing either. Of what is not authenticated nothing is said: anybody
 * could have a meter's values disputed.
 */
function misdatedOf(
  meter: Meter,
  push: OpenedPush,
  registers: readonly RegisterRecord[],
  receivedAtSource: number,
  knownOffSeconds = 0,
): MisdatedStretch | undefined {
  const dated = registers.filter(({ status }) => status === undefined).map(({ at }) => at);
  if (!push.authenticated || dated.length === 0) return undefined;
  const newest = dated.reduce((one, other) => Math.max(one, other));
  const aheadSeconds = (newest - receivedAtSource) / 1000;
  const offsetSeconds = isMisdating(aheadSeconds) && aheadSeconds > 0 ? aheadSeconds : knownOffSeconds;
  if (!isMisdating(offsetSeconds)) return undefined;
  const period = (findMeterProfile(meter.profile)?.loadProfile.periodSeconds ?? QUARTER_SECONDS) * 1000;
  const to = Math.ceil(newest / period) * period;
  return { from: to - period, to, offsetSeconds, isIncident: isIncident(offsetSeconds) };
}

function telegramsOf(meter: Meter, push: OpenedPush, layout: Layout | undefined): readonly Telegram[] {
  const telegrams = readOpenedTelegrams({
    apdu: push.plainApdu,
    systemTitle: meter.systemTitle,
    security: securityOf(push),
    ...(layout === undefined ? {} : { layout }),
  });
  if ("code" in telegrams)
    throw new HeadEndError("push-refused", `${telegrams.code} at ${telegrams.offset}: ${telegrams.message}`);
  return telegrams;
}

function registersOf(
  telegram: Telegram,
  zone: TimeZone | undefined,
  evidence: EvidenceRecord,
  receivedAtSource: number,
): RegisterRecord[] {
  return telegram.readings.flatMap((reading): readonly RegisterRecord[] => {
    if (reading.value === null || !OBIS.test(reading.obis)) return [];
    return [
      {
        obis: reading.obis,
        value: typeof reading.value === "number" ? reading.value : foreignText(String(reading.value)),
        unit: reading.unit === null || reading.unit === "" ? undefined : reading.unit,
        ...capturedAt(reading, zone, receivedAtSource),
        evidence,
      },
    ];
  });
}

/** The status of a value that does not say when it was. */
const TIME_OF_ARRIVAL = "time of arrival";
/** Of one that says it without the offset to UTC, where nobody knows in which zone the meter is: taken for this machine's. */
const LOCAL_TIME = "local time of an unknown zone";
const WITH_OFFSET = /(?:Z|[+-]\d\d:\d\d)$/;

function capturedAt(
  { time, season }: Telegram["readings"][number],
  zone: TimeZone | undefined,
  receivedAtSource: number,
): Pick<RegisterRecord, "at" | "status"> {
  const at = time === null ? Number.NaN : Date.parse(time);
  if (Number.isNaN(at)) return { at: receivedAtSource, status: TIME_OF_ARRIVAL };
  if (WITH_OFFSET.test(time ?? "")) return { at };
  return zone === undefined
    ? { at, status: LOCAL_TIME }
    : { at: zone.instantAt(Date.parse(`${time}Z`), season === "summer") };
}

/** Of a meter whose profile nobody knows. */
const QUARTER_SECONDS = 900;

/** Operators' layouts name some columns in words; those are no readings of an object. */
const OBIS = /^\d+-\d+:\d+\.\d+\.\d+(\*\d+)?$/;

function securityOf(push: OpenedPush): SecurityFacts {
  return {
    encrypted: push.encrypted,
    authentication: push.authenticated ? "verified" : "absent",
    claimedSuite: null,
    securityControl: null,
    cipher: null,
    keySet: null,
    invocationCounter: push.counter,
  };
}
