import { mutate, Random } from "./mutation.ts";
import type { Seeds } from "./seeds.ts";
import { Finding, runTarget, TARGETS, type Target } from "./targets.ts";

/** What a target did with its inputs. */
export interface TargetReport {
  readonly name: string;
  readonly inputs: number;
  readonly taken: number;
  readonly milliseconds: number;
  /** The input that took the longest for its length, measured a second time. */
  readonly slowest: { readonly nanosecondsAnOctet: number; readonly octets: number };
  readonly findings: readonly FoundInput[];
}

export interface FoundInput {
  readonly what: string;
  readonly input: Uint8Array;
}

const MOST_FINDINGS = 5;
const MOST_TRIED_SEEDS = 4000;
/** Time is looked at input by input; below so many octets it says nothing of the length. */
const SHORTEST_TIMED_BYTES = 64;
/** Refusing, or taking, must be linear in the length: no real input comes near. */
const MOST_MICROSECONDS_AN_OCTET = 60;
const LEAST_SUSPECT_MILLISECONDS = 20;

/** Runs one target on so many mutated inputs. */
export function runCampaign(target: Target, seeds: Seeds, inputs: number, seed: number): TargetReport {
  const random = new Random(seed);
  const from = seeds[target.seeds];
  const near = seedsTaken(target, from);
  const findings: FoundInput[] = [];
  let taken = 0;
  let slowest = { nanosecondsAnOctet: 0, octets: 0 };
  const started = performance.now();
  for (let count = 0; count < inputs && findings.length < MOST_FINDINGS; count += 1) {
    const input = mutate(random, near.length > 0 && random.below(2) === 0 ? near : from);
    const before = performance.now();
    try {
      if (runTarget(target, input) === "taken") taken += 1;
    } catch (error) {
      if (!(error instanceof Finding)) throw error;
      findings.push({ what: error.message, input });
    }
    const took = performance.now() - before;
    if (input.length >= SHORTEST_TIMED_BYTES && took > LEAST_SUSPECT_MILLISECONDS) {
      const again = timeOf(target, input);
      const perOctet = (again * 1e6) / input.length;
      if (perOctet > MOST_MICROSECONDS_AN_OCTET * 1000)
        findings.push({ what: `${again.toFixed(1)} ms for ${input.length} octets`, input });
    }
    const nanosecondsAnOctet = (took * 1e6) / input.length;
    if (
      input.length >= SHORTEST_TIMED_BYTES &&
      nanosecondsAnOctet > slowest.nanosecondsAnOctet &&
      took < LEAST_SUSPECT_MILLISECONDS
    )
      slowest = { nanosecondsAnOctet, octets: input.length };
  }
  return { name: target.name, inputs, taken, milliseconds: performance.now() - started, slowest, findings };
}

/** The seeds that the target itself takes: mutations of these get further in than those of all. */
function seedsTaken(target: Target, from: readonly Uint8Array[]): readonly Uint8Array[] {
  return from.slice(0, MOST_TRIED_SEEDS).filter((octets) => {
    try {
      return runTarget(target, octets) === "taken";
    } catch {
      return false; // A seed that is a finding is one among the inputs as well.
    }
  });
}

/** The best of three: a collection or another process is no fault of the parser. */
function timeOf(target: Target, input: Uint8Array): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round += 1) {
    const before = performance.now();
    try {
      runTarget(target, input);
    } catch {
      // What it says was noted the first time.
    }
    best = Math.min(best, performance.now() - before);
  }
  return best;
}

/** Octets of heap that so many inputs leave behind, an octet of input: what a parser keeps would show. */
export function heapLeftPerOctet(target: Target, seeds: Seeds, inputs: number): number {
  const random = new Random(99);
  const made = Array.from({ length: inputs }, () => mutate(random, seeds[target.seeds]));
  const total = made.reduce((sum, { length }) => sum + length, 0);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (const input of made)
    try {
      runTarget(target, input);
    } catch {
      // Findings are another matter.
    }
  globalThis.gc?.();
  return Math.max(0, process.memoryUsage().heapUsed - before) / total;
}

export { TARGETS };
