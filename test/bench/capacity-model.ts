/** What one daily session costs, as benches measure it; `source` is the command that shows the figure. */
export interface MeasuredFigure {
  readonly value: number;
  readonly unit: string;
  readonly source: string;
}

/** What the model is fed with. */
export interface CapacityFigures {
  /** All processes of the head-end together, without the virtual meters. */
  readonly cpuMillisecondsPerSession: MeasuredFigure;
  readonly custodianMillisecondsPerSession: MeasuredFigure;
  /** 96 intervals on two channels, packed. */
  readonly packedBytesPerMeterDay: MeasuredFigure;
  /** Evidence, ladder, session and registers of one session, rows and indexes. */
  readonly evidenceBytesPerSession: MeasuredFigure;
  /** What the custodian's database grows by with a session: entries of the ledger, counters, windows. */
  readonly ledgerBytesPerSession: MeasuredFigure;
}

/** What is asked of an island. */
export interface IslandDemand {
  readonly meters: number;
  /** In which all of it shall be read, seconds. */
  readonly windowSeconds: number;
  /** From dialling to release, seconds. */
  readonly latencySeconds: number;
  /** Until a meter that does not answer is given up, seconds. */
  readonly timeoutSeconds: number;
  /** Of its meters, those that do not answer. */
  readonly deadShare: number;
  /** How long evidence and ladders are kept, days; packed days are kept for the same time. */
  readonly keepDays: number;
}

/** What an island needs. */
export interface IslandNeed {
  readonly sessionsPerSecond: number;
  readonly cores: number;
  readonly custodianCores: number;
  /** Sessions at once: those that answer, and those that wait for the dead. */
  readonly places: number;
  readonly rowsPerDay: number;
  readonly gigabytesPerDay: number;
  readonly terabytesKept: number;
}

/** Of the window, this much is planned for; the rest is for what goes wrong. */
export const PLANNED_SHARE = 0.7;
/** How often a meter that never answers is tried in an hour when its pauses are at their ceiling of five minutes. */
const RETRIES_PER_HOUR = 3_600 / 235;
/** A session writes a packed day, a piece of evidence, a session, a ladder and ten registers. */
const ROWS_PER_SESSION = 14;

/** The arithmetic: everything else in docs/capacity.md follows from it. */
export function islandNeed(demand: IslandDemand, figures: CapacityFigures): IslandNeed {
  const { meters, windowSeconds, latencySeconds, timeoutSeconds, deadShare, keepDays } = demand;
  const sessionsPerSecond = (meters * (1 - deadShare)) / (windowSeconds * PLANNED_SHARE);
  const triesOfDead = (meters * deadShare * RETRIES_PER_HOUR) / 3_600;
  const bytesPerDay =
    meters *
    (1 - deadShare) *
    (figures.packedBytesPerMeterDay.value +
      figures.evidenceBytesPerSession.value +
      figures.ledgerBytesPerSession.value);
  return {
    sessionsPerSecond,
    cores: (sessionsPerSecond * figures.cpuMillisecondsPerSession.value) / 1_000,
    custodianCores: (sessionsPerSecond * figures.custodianMillisecondsPerSession.value) / 1_000,
    places: Math.ceil(sessionsPerSecond * latencySeconds + triesOfDead * timeoutSeconds),
    rowsPerDay: meters * (1 - deadShare) * ROWS_PER_SESSION,
    gigabytesPerDay: bytesPerDay / 1e9,
    terabytesKept: (bytesPerDay * keepDays) / 1e12,
  };
}

/** What came of a simulated morning: when shares of all meters had been read, seconds after it began. */
export interface SimulatedMorning {
  readonly sessions: number;
  readonly inVain: number;
  readonly read98: number;
  readonly read995: number;
  readonly readAll: number;
}

/** A day at most is simulated. */
const LONGEST_SECONDS = 86_400;

/**
 * A morning of one island, meter by meter, in steps of a second: every meter is due at once, a place is held for as long as
 * a session lasts, sessions begin as fast as the cores allow, and who does not answer comes back after its backoff.
 */
export function simulateMorning(
  demand: IslandDemand,
  given: { readonly cores: number; readonly places: number; readonly cpuMillisecondsPerSession: number },
  seed: number,
): SimulatedMorning {
  const { meters, latencySeconds, timeoutSeconds, deadShare } = demand;
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  // Who answers is drawn by number: it must not depend on when one asks.
  const isDead = (meter: number): boolean => (Math.imul(meter + 1, 2_654_435_761) >>> 0) / 2 ** 32 < deadShare;
  const line = new WaitingLine(meters);
  const freed = new Int32Array(LONGEST_SECONDS + 1);
  const finished = new Int32Array(LONGEST_SECONDS + 1);
  const attempts = new Uint8Array(meters);
  const perSecond = (given.cores * 1_000) / given.cpuMillisecondsPerSession;
  const add = (counts: Int32Array, second: number): void => {
    counts[second] = (counts[second] ?? 0) + 1;
  };
  let answering = 0;
  for (let meter = 0; meter < meters; meter += 1) if (!isDead(meter)) answering += 1;
  let [places, budget, read, sessions, inVain] = [given.places, 0, 0, 0, 0];
  let [read98, read995] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let second = 0; second < LONGEST_SECONDS; second += 1) {
    places += freed[second] ?? 0;
    read += finished[second] ?? 0;
    // Shares count of the meters that can be read at all: the dead stand on the gap list.
    if (read >= answering * 0.98) read98 = Math.min(read98, second);
    if (read >= answering * 0.995) read995 = Math.min(read995, second);
    if (read === answering) return { sessions, inVain, read98, read995, readAll: second };
    line.come(second);
    budget = Math.min(budget + perSecond, perSecond * 2);
    for (; places > 0 && budget >= 1; places -= 1, budget -= 1) {
      const meter = line.take();
      if (meter === undefined) break;
      sessions += 1;
      const dead = isDead(meter);
      const lasts = dead ? timeoutSeconds : latencySeconds * (0.5 + random());
      const end = Math.min(LONGEST_SECONDS, second + Math.max(1, Math.round(lasts)));
      add(freed, end);
      if (!dead) add(finished, end);
      else {
        inVain += 1;
        const attempt = Math.min(255, (attempts[meter] ?? 0) + 1);
        attempts[meter] = attempt;
        line.later(meter, end + Math.ceil(backoffSeconds(attempt, random())));
      }
    }
  }
  return { sessions, inVain, read98, read995, readAll: Number.POSITIVE_INFINITY };
}

/** Who is due when: lists of meters linked by number, one a second, and one of those whose time has come. */
class WaitingLine {
  readonly #due = new Int32Array(LONGEST_SECONDS).fill(-1);
  readonly #next: Int32Array;
  #head = 0;
  #tail: number;

  /** All meters are due at once. */
  constructor(meters: number) {
    this.#next = new Int32Array(meters);
    for (let meter = 0; meter < meters; meter += 1) this.#next[meter] = meter + 1 < meters ? meter + 1 : -1;
    this.#tail = meters - 1;
  }

  /** Those who are due in this second go behind those who wait. */
  come(second: number): void {
    for (let meter = this.#due[second] ?? -1; meter >= 0; ) {
      const following = this.#next[meter] ?? -1;
      this.#next[meter] = -1;
      if (this.#head < 0) this.#head = meter;
      else this.#next[this.#tail] = meter;
      this.#tail = meter;
      meter = following;
    }
  }

  take(): number | undefined {
    if (this.#head < 0) return undefined;
    const meter = this.#head;
    this.#head = this.#next[meter] ?? -1;
    return meter;
  }

  later(meter: number, second: number): void {
    if (second >= LONGEST_SECONDS) return;
    this.#next[meter] = this.#due[second] ?? -1;
    this.#due[second] = meter;
  }
}

/** As the head-end waits (packages/headend/src/work/backoff.ts). */
function backoffSeconds(attempts: number, random: number): number {
  const full = Math.min(300, 2 * 2 ** Math.min(30, attempts - 1));
  return full / 2 + (full / 2) * random;
}
