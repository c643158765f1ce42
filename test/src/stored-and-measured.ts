import { type ApiClient, ask } from "./api-client.ts";
import type { Meterkeep } from "./start-meterkeep.ts";
import type { TownControl } from "./town-control.ts";

/** A stretch of a meter's load profile that the head-end says it lacks: intervals that end in `(from, to]`, milliseconds since 1970. */
export interface ToldGap {
  readonly from: number;
  readonly to: number;
}

/** What came of holding what is stored against what was measured. */
export interface Comparison {
  /** Values that are stored and are those that were measured. */
  readonly right: number;
  /** What is wrong, in words: values, lines that come twice, gaps that nobody tells of, and gaps that are none. */
  readonly faults: readonly string[];
}

const DAY = 86_400_000;

/** A day as the board has it, told in UTC: all that is stored of it against all that was measured, but for the gaps that the board tells of. */
export async function compareDay(
  meterkeep: Pick<Meterkeep, "address">,
  town: Pick<TownControl, "ask">,
  { api, token }: { readonly api: ApiClient; readonly token: string },
  meters: readonly string[],
  day: string,
): Promise<Comparison & { readonly gaps: ReadonlyMap<string, readonly ToldGap[]> }> {
  const told = (await api.call("slaGaps", { query: { day, limit: 5_000 } })).meters;
  const gaps = new Map<string, readonly ToldGap[]>(
    told.map((meter) => [
      meter.systemTitle,
      meter.gaps.map(({ from, to }) => ({ from: Date.parse(from), to: Date.parse(to) })),
    ]),
  );
  const from = Date.parse(`${day}T00:00:00Z`);
  const window = { from, to: from + DAY };
  const compared = await compareWithMeasured(meterkeep, town, token, meters, window, (meter) => gaps.get(meter) ?? []);
  return { ...compared, gaps };
}

/**
 * Holds what the head-end exports of some meters, whatever it thinks of it, against what each of them truly measured in the
 * intervals that end in `(from, to]`: every value that is not in a gap that the head-end tells of is there, once, and right.
 */
async function compareWithMeasured(
  { address }: Pick<Meterkeep, "address">,
  town: Pick<TownControl, "ask">,
  token: string,
  meters: readonly string[],
  { from, to }: ToldGap,
  gapsOf: (meter: string) => readonly ToldGap[],
): Promise<Comparison> {
  const stored = await exported(address, token, { from, to });
  const faults: string[] = [];
  let right = 0;
  for (const meter of meters) {
    const [measured] = await town.ask([{ do: "measured", meter, from: from / 1000, to: to / 1000 }]);
    const lines = new Map(stored.get(meter));
    const gaps = gapsOf(meter);
    for (const { obis, scaler, values } of (measured as Measured).columns)
      for (const [seconds, count] of values) {
        const at = seconds * 1000;
        const name = `${meter} ${codeOf(obis)} ${new Date(at).toISOString()}`;
        const found = lines.get(`${codeOf(obis)} ${at}`) ?? [];
        lines.delete(`${codeOf(obis)} ${at}`);
        const isGap = gaps.some((gap) => at > gap.from && at <= gap.to);
        const truth = Number(`${count}e${scaler}`);
        if (found.length > 1) faults.push(`${name}: ${found.length} times`);
        else if (found.length === 0 && !isGap) faults.push(`${name}: it is missing, and no gap says so`);
        else if (found.length === 1 && isGap) faults.push(`${name}: it is there, and called missing`);
        else if (found.length === 1 && found[0] !== truth)
          faults.push(`${name}: ${found[0]}, and ${truth} was measured`);
        else right += found.length;
      }
    for (const [name, values] of lines) faults.push(`${meter} ${name}: ${values.join()}, and nothing was measured`);
  }
  return { right, faults };
}

/** Values by meter, and by channel and end of the interval. */
async function exported(
  address: string,
  token: string,
  { from, to }: ToldGap,
): Promise<ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>> {
  const window = `from=${new Date(from + 1).toISOString()}&to=${new Date(to).toISOString()}`;
  const { status, text } = await ask(`${address}/api/v1/export/intervals?format=csv&trust=all&${window}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  if (status !== 200) throw new Error(`the export was answered with ${status}: ${text.slice(0, 200)}`);
  const meters = new Map<string, Map<string, number[]>>();
  for (const line of text.split("\r\n").slice(1)) {
    const [meter, obis, , time, value] = line.split(",");
    if (meter === undefined || time === undefined) continue;
    const lines = meters.get(meter) ?? new Map<string, number[]>();
    meters.set(meter, lines);
    const key = `${obis} ${Date.parse(time)}`;
    lines.set(key, [...(lines.get(key) ?? []), Number(value)]);
  }
  return meters;
}

/** `1.0.1.8.0.255` as exports write it: `1-0:1.8.0`. */
function codeOf(name: string): string {
  const [a, b, c, d, e] = name.split(".");
  return `${a}-${b}:${c}.${d}.${e}`;
}

interface Measured {
  readonly columns: readonly {
    readonly obis: string;
    readonly scaler: number;
    readonly values: readonly (readonly [at: number, count: number])[];
  }[];
}
