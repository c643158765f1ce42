import { createHash } from "node:crypto";
import { KEY_PURPOSES, type KeyWarning } from "@meterkeep/api/custodian";
import type { MeterRecord } from "../store/records.ts";
import type { StagedMeter } from "../store/store.ts";
import { type ImportDependencies, METER_ADDED } from "./import.ts";
import { entry, type ImportPlace } from "./import-place.ts";
import { asRefusal, recordRefusal, refusalOf } from "./import-refusals.ts";
import { keyWarnings } from "./key-warnings.ts";
import { openSealedKeys } from "./sealed-keys.ts";
import { sealMeters } from "./sealed-meters.ts";

/** What is needed to add a meter. */
export interface AddingDependencies
  extends Pick<ImportDependencies, "store" | "committer" | "bursts" | "vault" | "trust" | "now"> {
  /** Lets people agree to a meter, by its title and its keys; throws where they have to and have not. Absent where nobody is asked. */
  readonly approveMeter?: ((meter: MeterToApprove) => Promise<void>) | undefined;
}

/** What people agree to when a single meter is taken in: these very keys, however they were sealed. */
export interface MeterToApprove {
  readonly meter: string;
  readonly utility: string;
  readonly island: string;
  /** SHA-384 over the check values of its keys, hex: they are keyed, and the same each time. */
  readonly keys: string;
}

/**
 * Takes a single meter into custody whose keys its owner sealed to the custodian.
 *
 * @param systemTitle 16 upper-case hex digits
 * @throws ShipmentRefusal with line 0.
 */
export async function addSingleMeter(
  dependencies: AddingDependencies,
  place: ImportPlace,
  systemTitle: string,
  sealed: string,
): Promise<readonly KeyWarning[]> {
  const { store, committer, vault, trust, now } = dependencies;
  const stage = await store.stageShipment();
  try {
    const { keys, securitySuite } = await openSealedKeys(sealed, systemTitle, trust.recipient);
    const meter = addedMeter(place, systemTitle, securitySuite, now());
    const warnings = keyWarnings(systemTitle, keys);
    const [staged] = (await sealMeters(vault, [{ meter, keys }])) as [StagedMeter];
    const { conflict } = await stage.add([staged]);
    if (conflict !== undefined) throw refusalOf(conflict, 0);
    await stage.drop();
    const { utility, island } = place;
    await dependencies.approveMeter?.({ meter: systemTitle, utility, island, keys: digestOf(staged) });
    const purposes = staged.keys.map(({ purpose }) => KEY_PURPOSES[purpose]);
    await committer.submit({
      writes: [{ kind: "add-meter", ...staged }],
      entries: [{ ...entry(now(), METER_ADDED, place, { purposes }), meter: systemTitle }],
    });
    return warnings;
  } catch (error) {
    const refusal = asRefusal(error);
    await stage.drop();
    if (refusal !== undefined) await recordRefusal(dependencies, place, "meter-refused", refusal);
    throw refusal ?? error;
  }
}

function digestOf({ checkValues }: StagedMeter): string {
  const hash = createHash("sha384");
  for (const value of checkValues) hash.update(value);
  return hash.digest("hex");
}

/** What is not known of a meter that somebody added by hand stays empty: nobody vouches for it. */
function addedMeter(place: ImportPlace, systemTitle: string, securitySuite: number, createdAt: number): MeterRecord {
  const flag = Buffer.from(systemTitle.slice(0, 6), "hex").toString("latin1");
  return {
    utility: place.utility,
    island: place.island,
    systemTitle,
    origin: "added",
    logicalDeviceName: "",
    serialNumber: "",
    model: "",
    hardwareRevision: "",
    firmware: "",
    profile: "",
    securitySuite,
    manufacturer: { flag: /^[A-Za-z]{3}$/.test(flag) ? flag.toUpperCase() : "", name: "" },
    holders: [],
    shipment: undefined,
    createdAt,
  };
}
