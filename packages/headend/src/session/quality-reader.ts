import { ProfileGeneric, readProfileEntries, readProfileRange, remote, type Session } from "@meterkeep/dlms";
import { HeadEndError } from "../errors.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { logicalName } from "../profile/object-name.ts";
import type { EvidenceRecord, QualityRecord } from "../reading/result.ts";
import { type Window, wholeSecond } from "./event-reader.ts";
import { clockOf, type MeterReader, numberOf } from "./meter-reader.ts";
import { scaledValue } from "./scaler-table.ts";

const CLOCK_CLASS = 8;
const REGISTER_CLASS = 3;

/**
 * Reads a stretch of the profile of power quality. Which columns it has the meter says itself: the clock and registers; what
 * else there is is left out.
 *
 * @throws HeadEndError `meter-answer-unusable` for rows without a clock
 */
export async function readQuality(
  session: Pick<Session, "get" | "getList" | "set" | "call">,
  reader: Pick<MeterReader, "learnScales" | "scale">,
  profile: MeterProfile,
  obis: string,
  { from, to }: Window,
  recorder: { begin(): void; evidence(): EvidenceRecord },
): Promise<readonly QualityRecord[]> {
  const name = logicalName(obis);
  const columns = await remote(session, ProfileGeneric, name).get("captureObjects");
  const clockAt = columns.findIndex(({ classId }) => classId === CLOCK_CLASS);
  if (clockAt < 0) throw new HeadEndError("meter-answer-unusable", `its profile ${obis} captures no clock`);
  const channels = columns.flatMap(({ classId, logicalName: captured, attributeIndex }, at) =>
    classId === REGISTER_CLASS && attributeIndex === 2 ? [{ at, obis: obisOf(captured) }] : [],
  );
  await reader.learnScales(channels.map((channel) => channel.obis));
  recorder.begin();
  const rows =
    profile.loadProfile.access === "range"
      ? await readProfileRange(session, name, { from: wholeSecond(from), to: wholeSecond(to) })
      : await readProfileEntries(session, name, { fromEntry: 1, toEntry: 0 });
  const evidence = recorder.evidence();
  return rows.flatMap((row): QualityRecord[] => {
    const at = clockOf(row[clockAt], profile.timeZone);
    if (at === undefined || at < from || at > to) return [];
    const values = channels.flatMap((channel) => {
      const count = numberOf(row[channel.at]);
      if (count === undefined) return [];
      const scale = reader.scale(channel.obis);
      return [{ obis: channel.obis, unit: scale.unit, value: scaledValue(count, scale) }];
    });
    return values.length === 0 ? [] : [{ at, values, evidence }];
  });
}

/** `1.0.32.24.0.255` as people write it: `1-0:32.24.0`. */
function obisOf(name: string): string {
  const [a, b, c, d, e] = name.split(".");
  return `${a}-${b}:${c}.${d}.${e}`;
}
