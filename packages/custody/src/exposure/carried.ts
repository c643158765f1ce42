import type { Exposure } from "@meterkeep/api/custodian";
import type { LedgerEntry } from "@meterkeep/ledger";
import { isOfChild, purposeName } from "../keys/purposes.ts";
import { CHILD, type KeyName, type KeyRecord, type MeterFile } from "../store/records.ts";
import type { LeasedOf } from "./leased.ts";

/** Entries of secrets that left in another form than wrapped under the master. */
export const CARRIED_KINDS = {
  /** A password, in clear, in the AARQ of an association that proves or disproves it. */
  lent: "secret-lent",
  /** A secret of a client, set under the working keys. */
  secret: "secret-change-sealed",
  /** The key of a device at an M-Bus channel, told to its meter under the working keys. */
  child: "child-key-sealed",
} as const;

interface Body {
  readonly key: KeyName;
  /** The version that it went under. */
  readonly GUEK?: number;
}

/** Who could have seen the secrets of a meter's clients and devices on their way: from the ledger's entries about it. */
export function ofCarried({ meter, keys }: MeterFile, told: readonly LedgerEntry[], leased: LeasedOf): Exposure[] {
  return told.flatMap(({ kind, at, principal, body }): Exposure[] => {
    const { key, GUEK } = JSON.parse(body) as Body;
    const name = nameOf(key);
    const until = replacedAt(keys, key);
    const common = {
      meter: meter.systemTitle,
      keys: name,
      from: at,
      ...(until !== undefined && { until }),
    } as const;
    const carrier = { ...common, who: `whoever carries octets for the ${principal}`, as: "carrier" } as const;
    if (kind === CARRIED_KINDS.lent)
      return [
        { ...carrier, form: "clear", why: "a password goes to its meter in clear, in every association with it" },
      ];
    const under = `it went to the meter under GUEK ${GUEK ?? "(not told)"}`;
    const lessees = leased
      .filter((one) => one.leased.GUEK === GUEK)
      .map(
        ({ who, as }): Exposure => ({ ...common, who, as, form: "derivable", why: `${under}, which the lease had` }),
      );
    return [{ ...carrier, form: "sealed", why: `${under}: not without that key` }, ...lessees];
  });
}

/** A secret of a client, or the key of a device, as the report names it. */
export function nameOf({ purpose, version, client }: KeyName): string {
  return `${purposeName(purpose)} ${version} of ${isOfChild(purpose) ? "channel" : "client"} ${client}`;
}

/** When a later one was known to be in its place: proven, or of a device, which proves nothing, in use. */
export function replacedAt(keys: readonly KeyRecord[], { purpose, version, client }: KeyName): number | undefined {
  const at = keys
    .filter((one) => one.purpose === purpose && one.setup === client && one.version > version)
    .flatMap(({ provenAt, state, createdAt }) =>
      purpose === CHILD.key && state !== "pre-activation" ? createdAt : (provenAt ?? []),
    );
  return at.length === 0 ? undefined : Math.min(...at);
}
