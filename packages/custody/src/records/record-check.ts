import type { Finding } from "@meterkeep/ledger";
import type { CustodyErrorCode } from "../errors.ts";
import { mayBecome } from "../keys/key-transition.ts";
import { purposeName } from "../keys/purposes.ts";
import { isLost } from "../ledger/named-findings.ts";
import { type CounterLine, type MeterFile, PURPOSE, type SetupPlace, type StoredCounter } from "../store/records.ts";
import type { Vault } from "../vault/vault.ts";
import { cameFromElsewhere, statesIn } from "./key-history.ts";
import {
  acceptedMacs,
  sameMac,
  withCounterMacs,
  withMeterMacs,
  withTakeoverMacs,
  withWindowMacs,
} from "./record-mac.ts";

/** What is wrong with a row. */
export interface RecordFault {
  readonly code: Extract<CustodyErrorCode, "record-not-authentic" | "record-put-back">;
  readonly message: string;
}

type Authenticating = Pick<Vault, "authenticate">;

/** Judges everything that is stored of a meter and that somebody else could have written. */
export async function fileFault(vault: Authenticating, file: MeterFile): Promise<RecordFault | undefined> {
  return (
    alteredFault(file) ??
    (await meterFault(vault, file)) ??
    (await windowFault(vault, file)) ??
    (await acceptedFault(vault, file)) ??
    statesFault(file) ??
    originFault(file) ??
    (await takeoverFault(vault, file))
  );
}

/** What stood behind a row is not known any more: an older entry would let an older row pass. */
function alteredFault({ altered: [first] = [] }: Pick<CounterLine, "altered">): RecordFault | undefined {
  return first === undefined ? undefined : notAuthentic(`entry ${first} of the ledger about it`);
}

async function meterFault(vault: Authenticating, { meter }: MeterFile): Promise<RecordFault | undefined> {
  const [authentic] = await withMeterMacs(vault, [meter]);
  return sameMac(meter.mac, authentic?.mac) ? undefined : notAuthentic("what is known of the meter");
}

async function windowFault(vault: Authenticating, { windows }: MeterFile): Promise<RecordFault | undefined> {
  const authentic = await withWindowMacs(vault, windows);
  const at = windows.findIndex(({ mac }, index) => !sameMac(mac, authentic[index]?.mac));
  const window = windows[at];
  return window && notAuthentic(`the window of counters under version ${window.keyVersion}, setup ${window.setup}`);
}

/** Judges windows by how far the ledger says that they had gone; what it says of one from before the meter was taken in is of another. */
async function acceptedFault(
  vault: Authenticating,
  { meter, windows, accepted }: MeterFile,
): Promise<RecordFault | undefined> {
  const { utility, island, systemTitle } = meter;
  const marks = accepted.filter(({ at }) => at >= meter.createdAt);
  const macs = await acceptedMacs(
    vault,
    marks.map(({ setup, keyVersion, highest: to }) => ({
      utility,
      island,
      systemTitle,
      setup,
      keyVersion,
      highest: to,
    })),
  );
  for (const [index, { setup, keyVersion, highest: to, mac }] of marks.entries()) {
    const what = `the window of counters under version ${keyVersion}, setup ${setup}`;
    if (!sameMac(macs[index], Buffer.from(mac, "hex"))) return notAuthentic(`the ledger's mark of ${what}`);
    const stored = windows.find((one) => one.setup === setup && one.keyVersion === keyVersion);
    if (stored === undefined) return putBack(`${what} is gone, by the ledger it had gone to ${to}`);
    if (stored.highest < to) return putBack(`${what} stands at ${stored.highest}, by the ledger it had gone to ${to}`);
  }
  return undefined;
}

/** Judges states of keys and the meter's standing: they are what the ledger's entries come to. */
function statesFault({ meter, keys, history }: MeterFile): RecordFault | undefined {
  const { standing, states } = statesIn(keys, history);
  if (standing !== (meter.standing ?? "in-service"))
    return putBack(`the meter is ${meter.standing ?? "in-service"}, by the ledger ${standing}`);
  for (const [at, { purpose, version, setup, state, provenAt }] of keys.entries()) {
    const told = states[at];
    const what = `the ${purposeName(purpose)} of version ${version}, setup ${setup}`;
    // A compromise of a whole fleet is told meter by meter after it was marked; that it is marked does no harm.
    const isTold = state === told?.state || (state === "compromised" && mayBecome(told?.state ?? state, state));
    if (!isTold) return putBack(`${what} is ${state}, by the ledger ${told?.state ?? "unknown"}`);
    if (provenAt !== undefined && told?.isProven !== true)
      return putBack(`${what} is proven, which the ledger does not know`);
  }
  return undefined;
}

/** Judges where keys of security setups came from: whose compromise takes back what a takeover gave follows from it. */
function originFault({ keys, history }: MeterFile): RecordFault | undefined {
  const wrong = keys.find(
    (key) => key.purpose <= PURPOSE.KEK && (key.origin !== "generated") !== cameFromElsewhere(key, history),
  );
  if (wrong === undefined) return undefined;
  const { purpose, version, setup } = wrong;
  return notAuthentic(`where the ${purposeName(purpose)} of version ${version}, setup ${setup}, came from`);
}

/** Judges the journals of a meter: each is authentic, and the one that the ledger knows as the last. */
async function takeoverFault(vault: Authenticating, file: MeterFile): Promise<RecordFault | undefined> {
  const journals = [...file.takeovers, ...file.enrolments];
  const authentic = await withTakeoverMacs(vault, journals);
  for (const [at, { mac, setup, subject, takeover, revision }] of journals.entries()) {
    const what = `the journal of ${subject === undefined ? "takeover" : "enrolment"} ${takeover}, setup ${setup}`;
    if (!sameMac(mac, authentic[at]?.mac)) return notAuthentic(what);
    const mark = file.marks.find((one) => one.setup === setup && one.subject === subject);
    if (mark === undefined) return putBack(`${what} stands at revision ${revision}, of which the ledger knows nothing`);
    if (mark.takeover !== takeover || mark.revision !== revision)
      return putBack(
        `${what} stands at revision ${revision}, the ledger at revision ${mark.revision} of takeover ${mark.takeover}`,
      );
    if (!sameMac(mac, Buffer.from(mark.mac, "hex"))) return notAuthentic(`the ledger's mark of ${what}`);
  }
  const lost = file.marks.find(({ setup, subject }) =>
    journals.every((journal) => journal.setup !== setup || journal.subject !== subject),
  );
  return lost && putBack(`the journal of takeover ${lost.takeover}, setup ${lost.setup}, is gone`);
}

/** Judges the send counters of a setup: each is authentic, and the highest is what the ledger knows as the last. */
export async function counterFault(
  vault: Authenticating,
  place: SetupPlace,
  { counters, mark, ...line }: CounterLine,
): Promise<RecordFault | undefined> {
  const altered = alteredFault(line);
  if (altered !== undefined) return altered;
  const what = `the send counter of setup ${place.setup}`;
  const authentic = await withCounterMacs(vault, counters);
  if (counters.some(({ mac }, at) => !sameMac(mac, authentic[at]?.mac))) return notAuthentic(what);
  const next = highest(counters);
  if (mark === undefined)
    return counters.length === 0 ? undefined : putBack(`${what} stands at ${next}, of which the ledger knows nothing`);
  const { keyVersion } = mark;
  const [marked] = await withCounterMacs(vault, [{ ...placeOf(place), keyVersion, next: mark.next }]);
  if (!sameMac(marked?.mac, Buffer.from(mark.mac, "hex"))) return notAuthentic(`the ledger's mark of ${what}`);
  return mark.next === next ? undefined : putBack(`${what} stands at ${next}, the ledger at ${mark.next}`);
}

/** A line without any mark may be a new one, or one whose marks are among what was changed. */
export function unmarkedFault(
  { setup }: Pick<SetupPlace, "setup">,
  { mark }: Pick<CounterLine, "mark">,
  open: readonly Finding[],
): RecordFault | undefined {
  const lost = mark === undefined ? open.find(isLost) : undefined;
  const message = `the ledger has no mark of the send counter of setup ${setup}, and entry ${lost?.from} is not what was written: until people have thawed, that may have been one`;
  return lost && { code: "record-not-authentic", message };
}

/** The first counter of a setup that was never reserved; 0 where none was. */
export function highest(counters: readonly StoredCounter[]): number {
  return Math.max(0, ...counters.map(({ next }) => next));
}

function placeOf({ utility, island, systemTitle, setup }: SetupPlace): SetupPlace {
  return { utility, island, systemTitle, setup };
}

function notAuthentic(what: string): RecordFault {
  return { code: "record-not-authentic", message: `${what} was changed, or stands where it was not written` };
}

function putBack(message: string): RecordFault {
  return { code: "record-put-back", message };
}
