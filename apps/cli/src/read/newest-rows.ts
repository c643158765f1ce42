import {
  Clock,
  type Data,
  dateTimeAt,
  instantOf,
  numberOf,
  type ProfileRow,
  plainValue,
  type ReadingValue,
  readDateTime,
  readProfile,
  readProfileEntries,
  readProfileRange,
  remote,
  type Session,
  SessionError,
  type ShortNameSession,
  scaled,
  timeText,
} from "@meterkeep/dlms";

/** How a value is shown. */
export interface Scale {
  readonly scaler: number;
  readonly unit: string;
}

/** Rows as they are shown, or the meter's word for why there are none. */
export interface NewestRows {
  readonly rows: readonly (readonly ReadingValue[])[];
  readonly refused?: string;
}

/** How much a profile holds. */
export interface Extent {
  readonly entries: number | null;
  readonly capturePeriodSeconds: number | null;
}

const CLOCK = "0.0.1.0.0.255";
/** A whole profile of more entries is not read for the sake of its last few. */
const MOST_WHOLE_ENTRIES = 500;

/**
 * Reads the newest rows of a profile: by their numbers, by time, or all of a short one where the meter cannot select.
 *
 * @param scaleOf the scale of a column by its place
 */
export async function newestRows(
  session: Session | ShortNameSession,
  logicalName: string,
  extent: Extent,
  scaleOf: (column: number) => Scale | undefined,
  wanted: number,
): Promise<NewestRows> {
  if (wanted === 0 || extent.entries === null || extent.entries === 0) return { rows: [] };
  try {
    const found = await selected(session, logicalName, extent, wanted);
    return { rows: found.map((row) => row.map((value, at) => shown(value, scaleOf(at)))) };
  } catch (error) {
    if (error instanceof SessionError) return { rows: [], refused: error.reason ?? error.code };
    throw error;
  }
}

/** By number, by time, or all: what one meter refuses another has. */
async function selected(
  session: Session | ShortNameSession,
  logicalName: string,
  { entries, capturePeriodSeconds }: Extent,
  wanted: number,
): Promise<readonly ProfileRow[]> {
  const last = entries ?? 0;
  const ways = [
    () => readProfileEntries(session, logicalName, { fromEntry: Math.max(1, last - wanted + 1), toEntry: last }),
    ...(capturePeriodSeconds ? [() => byTime(session, logicalName, capturePeriodSeconds, wanted)] : []),
    ...(last <= MOST_WHOLE_ENTRIES ? [() => readProfile(session, logicalName)] : []),
  ];
  let refusal: unknown;
  for (const way of ways)
    try {
      return (await way()).slice(-wanted);
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      refusal ??= error;
    }
  throw refusal;
}

/** The last rows before what the meter's clock says. */
async function byTime(
  session: Session | ShortNameSession,
  logicalName: string,
  capturePeriodSeconds: number,
  wanted: number,
): Promise<readonly ProfileRow[]> {
  const now = instantOf(await remote(session, Clock, CLOCK).get("time"), 0);
  if (now === undefined) throw new SessionError("data-access-refused", "the clock does not say the time");
  const from = now - (wanted + 1) * capturePeriodSeconds * 1_000;
  return await readProfileRange(session, logicalName, { from: dateTimeAt(from), to: dateTimeAt(now) });
}

function shown(value: Data, scale: Scale | undefined): ReadingValue {
  const time =
    value.type === "date-time" ? value.value : value.type === "octet-string" ? readDateTime(value.value) : undefined;
  const text = time === undefined ? undefined : timeText(time);
  if (text !== undefined) return text;
  const number = numberOf(value);
  if (scale !== undefined && number !== undefined) return scaled(number, scale.scaler);
  return plainValue(value) ?? null;
}
