import { rows } from "../database/sql.ts";
import { heldIntervals, type QualifiedInterval } from "../reading/held-intervals.ts";
import { FIRST_COLUMNS, LAST_COLUMNS, type ReadingKind } from "./export-kind.ts";

/** Intervals of load profiles, a channel behind the other; times are their ends. */
export const INTERVALS: ReadingKind<QualifiedInterval> = {
  open: async (sql, scope) => {
    const channels = await rows<ChannelRow>(sql, SELECT_CHANNELS, [...scope.place]);
    const names = new Map(channels.map((row) => [row.channel_id, row]));
    return async (meters, { from, to }) => {
      const held = await heldIntervals(sql, scope, meters, from, to);
      return new Map([...held].map(([meter, intervals]) => [meter, channelsOf(intervals, names)]));
    };
  },
  columns: [
    ...FIRST_COLUMNS,
    { name: "value", type: "DOUBLE", cell: ({ value }) => value },
    {
      name: "status",
      type: "INT64",
      nullable: true,
      cell: ({ status }) => (status === undefined ? null : BigInt(status)),
    },
    { name: "quality", type: "STRING", cell: ({ quality }) => quality },
    ...LAST_COLUMNS,
  ],
  cim: { element: "IntervalBlocks" },
};

function channelsOf(held: readonly QualifiedInterval[], names: ReadonlyMap<number, ChannelRow>) {
  const sorted = held.toSorted((one, other) => one.channel - other.channel || one.at - other.at);
  return [...Map.groupBy(sorted, ({ channel }) => channel)].flatMap(([channel, values]) => {
    const name = names.get(channel);
    return name === undefined ? [] : [{ obis: name.obis, unit: name.unit, values }];
  });
}

interface ChannelRow {
  readonly channel_id: number;
  readonly obis: string;
  readonly unit: string;
}

const SELECT_CHANNELS = "select channel_id, obis, unit from channels where utility_id = $1 and island_id = $2";
