import type { ProtectionKeys } from "@meterkeep/dlms";
import type { CipherKey } from "../conversation/token-ciphers.ts";
import { isOfFirstSetup, type MeterFile, PURPOSE, type SetupPlace } from "../store/records.ts";
import { candidates } from "../takeover/candidates.ts";
import { journalOf } from "../takeover/view.ts";

/** Keys a push may be protected with, and the version its counter is judged under. */
export interface PushKeySet {
  readonly keys: ProtectionKeys<CipherKey>;
  readonly unicastVersion: number;
}

/** The keys a meter may push under, the likeliest first, and where its counters are kept. */
export interface PushKeyRing {
  readonly place: SetupPlace;
  readonly sets: readonly PushKeySet[];
}

/** Which versions a meter may push under: all that may be on it. */
export function pushCandidates(file: MeterFile): { readonly GUEK: number; readonly GAK: number | undefined }[] {
  if (file.meter.origin === "added") {
    const own = file.keys.filter(isOfFirstSetup);
    const GAK = own.find(({ purpose }) => purpose === PURPOSE.GAK)?.version;
    return own.filter(({ purpose }) => purpose === PURPOSE.GUEK).map(({ version }) => ({ GUEK: version, GAK }));
  }
  return candidates(journalOf(file).journal);
}
