import { ProfileGeneric, readProfileEntries, readProfileRange, remote, type Session } from "@meterkeep/dlms";
import { codeOf, HeadEndError } from "../errors.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { logicalName } from "../profile/object-name.ts";
import type { Stretch } from "../reading/coverage.ts";
import type { QualityRecord } from "../reading/result.ts";
import { type Window, wholeSecond } from "./event-reader.ts";
import { clockOf, type MeterReader, numberOf } from "./meter-reader.ts";
import { portions } from "./profile-rows.ts";
import type { AnswerRecorder } from "./question.ts";
import { scaledValue } from "./scaler-table.ts";

const CLOCK_CLASS = 8;
const REGISTER_CLASS = 3;

type QualityFacts = NonNullable<MeterProfile["powerQuality"]>;

/** Words of a meter that will not be others the next time at once. */
const NOT_GIVEN: ReadonlySet<string> = new Set([
  "data-access-refused",
  "exception-response",
  "service-error",
  "meter-answer-unusable",
]);

type QualitySession = Pick<Session, "get" | "getList" | "set" | "call">;

/** A meter whose power quality is read, over an association that somebody else made. */
export interface QualitySource {
  readonly session: QualitySession;
  readonly reader: Pick<MeterReader, "learnScales" | "scale">;
  readonly profile: MeterProfile;
  readonly recorder: AnswerRecorder;
}

/**
 * Reads what is missing of a meter's power quality, and says what was answered. A meter that does not give the profile, or not
 * so that it can be understood, has answered without rows: it is asked once more and no session fails for it.
 */
export async function readQualityGaps(
  source: QualitySource,
  gaps: readonly Stretch[],
  answered: (asked: Stretch, rows: readonly QualityRecord[]) => void,
): Promise<void> {
  const { powerQuality } = source.profile;
  if (powerQuality === undefined || gaps.length === 0) return;
  const asked = gaps.flatMap((gap) => portions(gap, powerQuality.periodSeconds));
  let done = 0;
  try {
    // From just behind the start: the row that ends there is known.
    const windows = asked.map(({ from, to }) => ({ from: from + 1000, to }));
    await readQuality(source, powerQuality, windows, (rows) => {
      answered(asked[done] as Stretch, rows);
      done += 1;
    });
  } catch (error) {
    if (!NOT_GIVEN.has(codeOf(error))) throw error;
    for (const stretch of asked.slice(done)) answered(stretch, []);
  }
}

/** The columns of a profile of power quality that are understood. */
interface QualityColumns {
  readonly clockAt: number;
  readonly channels: readonly { readonly at: number; readonly obis: string }[];
}

/**
 * Reads stretches of the profile of power quality, and hands over the rows of each as it came. Which columns it has the meter
 * says itself: the clock and registers; what else there is is left out.
 *
 * @throws HeadEndError `meter-answer-unusable` for rows without a clock
 */
export async function readQuality(
  source: QualitySource,
  quality: QualityFacts,
  windows: readonly Window[],
  found: (rows: readonly QualityRecord[]) => void,
): Promise<void> {
  const columns = await columnsOf(source.session, quality.obis);
  await source.reader.learnScales(columns.channels.map((channel) => channel.obis));
  for (const window of windows) found(await rowsOf(source, quality, columns, window));
}

async function columnsOf(session: QualitySession, obis: string): Promise<QualityColumns> {
  const columns = await remote(session, ProfileGeneric, logicalName(obis)).get("captureObjects");
  const clockAt = columns.findIndex(({ classId }) => classId === CLOCK_CLASS);
  if (clockAt < 0) throw new HeadEndError("meter-answer-unusable", `its profile ${obis} captures no clock`);
  const channels = columns.flatMap(({ classId, logicalName: captured, attributeIndex }, at) =>
    classId === REGISTER_CLASS && attributeIndex === 2 ? [{ at, obis: obisOf(captured) }] : [],
  );
  return { clockAt, channels };
}

async function rowsOf(
  { session, reader, profile, recorder }: QualitySource,
  { obis, periodSeconds }: QualityFacts,
  { clockAt, channels }: QualityColumns,
  { from, to }: Window,
): Promise<readonly QualityRecord[]> {
  const name = logicalName(obis);
  recorder.begin();
  const rows =
    profile.loadProfile.access === "range"
      ? await readProfileRange(session, name, { from: wholeSecond(from), to: wholeSecond(to) })
      : await readProfileEntries(session, name, { fromEntry: 1, toEntry: 0 });
  const evidence = recorder.evidence();
  let before: number | undefined;
  return rows.flatMap((row): QualityRecord[] => {
    const stepped = before === undefined ? undefined : before + periodSeconds * 1000;
    const at = row[clockAt]?.type === "null-data" ? stepped : clockOf(row[clockAt], profile.timeZone);
    before = at;
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
