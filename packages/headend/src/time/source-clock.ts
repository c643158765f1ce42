/**
 * Time at a source. Simulated meters live in the town's time, which may run faster than the wall clock; real meters live
 * in ours. Instants are milliseconds since 1970 UTC in either.
 */
export interface SourceClock {
  /** Seconds at the source per second on the wall. */
  readonly factor: number;
  readonly simulated: boolean;
  /** The instant at the source when the wall clock shows `wall`. */
  atSource(wall: number): number;
  /** The wall clock's instant when the source's clock shows `source`. */
  atWall(source: number): number;
}

/** The clock of sources that live in our own time. */
export const WALL_SOURCE_CLOCK: SourceClock = {
  factor: 1,
  simulated: false,
  atSource: (wall) => wall,
  atWall: (source) => source,
};

/** What the town writes of its time into `addresses.json`. */
export interface TownTime {
  /** RFC 3339: the town's time at `wallEpoch`. */
  readonly epoch: string;
  readonly wallEpoch: string;
  readonly factor: number;
}

/** The clock of the town's meters. */
export function townClock(time: TownTime): SourceClock {
  const epoch = Date.parse(time.epoch);
  const wallEpoch = Date.parse(time.wallEpoch);
  return {
    factor: time.factor,
    simulated: true,
    atSource: (wall) => epoch + (wall - wallEpoch) * time.factor,
    atWall: (source) => wallEpoch + (source - epoch) / time.factor,
  };
}
