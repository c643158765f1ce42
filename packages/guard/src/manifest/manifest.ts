import { NOT_CANONICAL, parseJson, readCanonical, utf8Text, writeCanonical } from "../canonical/canonical-json.ts";
import { Wrong } from "../canonical/field.ts";
import { GuardError } from "../errors.ts";
import type { Sha384 } from "../hash-fraction.ts";
import { isRestoring } from "../operation/direction.ts";
import { classOf, directionOf, operationProblem } from "../operation/operation.ts";
import { delayOf } from "./dispersion.ts";
import { type ManifestHeader, type ManifestTarget, manifestHeader, manifestTarget } from "./header.ts";

const NEWLINE = 0x0a;
const DAY = 86_400_000;
/** How long a manifest may wait for its execution, by what it does: what can switch a supply for a week. */
const MOST_WINDOW = { C0: 60 * DAY, C1: 60 * DAY, C2: 60 * DAY, C3: 7 * DAY } as const;
/** Reconnecting: of the targets on one transformer, so many may come back in one minute (MC-15, cold-load pickup). */
const RECONNECT_SHARE = 0.1;
const FEW_RECONNECTS = 10;

/** A manifest that was read and checked: its header, and its targets where they lie. */
export interface Manifest {
  readonly header: ManifestHeader;
  /** The very octets whose SHA-384 is approved. */
  readonly octets: Uint8Array;
  /** The target of that system title, or undefined. */
  find(systemTitle: string): ManifestTarget | undefined;
  /** Targets from a place on, in their order. */
  page(from: number, limit: number): readonly ManifestTarget[];
}

/** Writes a manifest: a line for the header and one for each target, sorted by system title. @throws GuardError */
export function writeManifest(header: ManifestHeader, targets: Iterable<ManifestTarget>): Uint8Array {
  const sorted = [...targets].sort((one, other) => (one.systemTitle < other.systemTitle ? -1 : 1));
  const lines = [writeCanonical(manifestHeader, header)];
  for (const target of sorted) lines.push(writeCanonical(manifestTarget, target));
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}

/** Lines that are read between two yields of `manifestReading`: some milliseconds of work. */
const LINES_A_STEP = 500;

/**
 * Reads a manifest and checks all that can be checked without knowing the meters: form, order, sums, waves, that the delays
 * follow from the seed, that its operation is one that a token can allow, that its window is not too long.
 *
 * @throws GuardError `manifest-refused`, with the line.
 */
export function readManifest(octets: Uint8Array, sha384: Sha384): Manifest {
  const reading = manifestReading(octets, sha384);
  for (;;) {
    const { done, value } = reading.next();
    if (done) return value;
  }
}

/**
 * As `readManifest`, in steps: a million lines take seconds, and whoever has a kill switch to listen to does something else
 * between two steps. Yields how many targets have been read.
 */
export function* manifestReading(octets: Uint8Array, sha384: Sha384): Generator<number, Manifest> {
  if (octets.length === 0 || octets[octets.length - 1] !== NEWLINE) throw refused(1, "its last line does not end");
  if (octets.length >= 2 ** 32) throw refused(1, "it is too long");
  const first = octets.indexOf(NEWLINE);
  const header = readCanonical(octets.subarray(0, first), manifestHeader);
  if (header instanceof Wrong) throw refused(1, header.why);
  checkHeader(header);
  const ends = new Uint32Array(header.targets + 1);
  ends[0] = first;
  yield* checkTargets(header, octets, ends, sha384);
  const at = (index: number): ManifestTarget => targetAt(octets, ends, index);
  return {
    header,
    octets,
    find: (systemTitle) => {
      let [low, high] = [0, header.targets - 1];
      while (low <= high) {
        const middle = (low + high) >>> 1;
        const target = at(middle);
        if (target.systemTitle === systemTitle) return target;
        if (target.systemTitle < systemTitle) low = middle + 1;
        else high = middle - 1;
      }
      return undefined;
    },
    page: (from, limit) =>
      Array.from({ length: Math.max(0, Math.min(limit, header.targets - from)) }, (_, index) => at(from + index)),
  };
}

/** When a target may be served first: the window's beginning, the watching of the waves before it, and its own delay. */
export function earliestOf({ notBefore, waves }: ManifestHeader, { wave, delaySeconds }: ManifestTarget): number {
  const soak = waves.slice(0, wave).reduce((sum, { soakSeconds }) => sum + soakSeconds, 0);
  return notBefore + (soak + delaySeconds) * 1000;
}

function checkHeader(header: ManifestHeader): void {
  const { operation, notBefore, notAfter, waves, targets } = header;
  const problem = operationProblem(operation);
  if (problem !== undefined) throw refused(1, problem);
  if (notAfter <= notBefore) throw refused(1, "its window ends before it begins");
  if (notAfter - notBefore > MOST_WINDOW[classOf(operation)])
    throw refused(1, `its window is longer than ${MOST_WINDOW[classOf(operation)] / DAY} days`);
  if (waves.reduce((sum, wave) => sum + wave.targets, 0) !== targets)
    throw refused(1, "its waves have another number of targets in all");
}

/** Checks every target, and notes in `ends` where its line does. */
function* checkTargets(
  header: ManifestHeader,
  octets: Uint8Array,
  ends: Uint32Array,
  sha384: Sha384,
): Generator<number, void> {
  const left = header.waves.map(({ targets }) => targets);
  const minutes = isRestoring(directionOf(header.operation)) ? new Map<string, number[]>() : undefined;
  let load = 0;
  let last = "";
  for (let index = 0; index < header.targets; index += 1) {
    if (index % LINES_A_STEP === 0) yield index;
    const line = index + 2;
    const end = octets.indexOf(NEWLINE, (ends[index] as number) + 1);
    if (end < 0) throw refused(1, `it announces ${header.targets} targets, and ${index} follow`);
    ends[index + 1] = end;
    const target = readTarget(octets, ends, index);
    if (target.systemTitle <= last) throw refused(line, "targets are in the order of their system titles, each once");
    last = target.systemTitle;
    const remaining = left[target.wave] ?? 0;
    if (remaining === 0) throw refused(line, `wave ${target.wave} has more targets than its plan`);
    left[target.wave] = remaining - 1;
    load += target.loadW;
    checkDelay(header, target, line, sha384);
    if (minutes !== undefined) {
      const key = target.transformer;
      const times = minutes.get(key) ?? [];
      times.push(Math.floor(earliestOf(header, target) / 60_000));
      minutes.set(key, times);
    }
  }
  if ((ends.at(-1) as number) + 1 !== octets.length)
    throw refused(1, `it announces ${header.targets} targets, and more follow`);
  if (load !== header.loadAtRiskW) throw refused(1, `its load at risk is ${load} W in sum`);
  if (minutes !== undefined && header.targets > FEW_RECONNECTS)
    for (const times of minutes.values()) checkPickup(times);
}

function checkDelay({ dispersion }: ManifestHeader, target: ManifestTarget, line: number, sha384: Sha384): void {
  if (dispersion.kind === "listed") {
    if (target.delaySeconds > dispersion.capSeconds) throw refused(line, "its delay is above the cap");
  } else if (target.delaySeconds !== delayOf(dispersion, target.systemTitle, sha384))
    throw refused(line, "its delay does not follow from the seed");
}

/** MC-15: a whole transformer that comes back at once trips. */
function checkPickup(minutes: readonly number[]): void {
  const most = Math.max(2, Math.ceil(minutes.length * RECONNECT_SHARE));
  const counts = new Map<number, number>();
  for (const minute of minutes) {
    const count = (counts.get(minute) ?? 0) + 1;
    if (count > most)
      throw refused(
        1,
        `more than ${most} of ${minutes.length} meters of a transformer reconnect in one minute: disperse`,
      );
    counts.set(minute, count);
  }
}

function readTarget(octets: Uint8Array, ends: Uint32Array, index: number): ManifestTarget {
  const written = utf8Text(octets.subarray((ends[index] ?? 0) + 1, ends[index + 1]));
  const target = written instanceof Wrong ? written : manifestTarget(parseJson(written));
  if (target instanceof Wrong) throw refused(index + 2, target.why);
  if (JSON.stringify(target) !== written) throw refused(index + 2, NOT_CANONICAL.why);
  return target;
}

/** A target that was checked before. */
function targetAt(octets: Uint8Array, ends: Uint32Array, index: number): ManifestTarget {
  const written = utf8Text(octets.subarray((ends[index] ?? 0) + 1, ends[index + 1]));
  return JSON.parse(written as string) as ManifestTarget;
}

function refused(line: number, why: string): GuardError {
  return new GuardError("manifest-refused", `line ${line}: ${why}`);
}
