import type { KeyPurpose, SystemTitle } from "@meterkeep/dlms";
import type { StoredMeter } from "./nvm/memory.ts";
import type { MeterSettings } from "./nvm/settings.ts";
import type { CompanionProfile } from "./profile/companion-profile.ts";
import { MeterSecurity, type SecurityOwner } from "./security.ts";

/** What security setups beside the first need of their meter. */
export interface SetupsOwner
  extends Pick<SecurityOwner, "write" | "keyTransferFault" | "certificateFault" | "crashesNow"> {
  readonly profile: CompanionProfile;
  readonly settings: MeterSettings;
  changeSettings(settings: MeterSettings): void;
  onKeys(purposes: readonly KeyPurpose[], setup?: number): void;
}

/** The security setups of a meter beside the first, by number: each with keys, counters and a policy of its own. */
export function furtherSetups(
  stored: StoredMeter,
  title: SystemTitle,
  meter: SetupsOwner,
): ReadonlyMap<number, MeterSecurity> {
  return new Map(
    stored.setups.map((kept) => [
      kept.setup,
      new MeterSecurity(stored, title, meter.profile.keysPerTransfer, ownerOf(meter, kept.setup), kept),
    ]),
  );
}

function ownerOf(meter: SetupsOwner, setup: number): SecurityOwner {
  return {
    write: (change) => meter.write(change.kind === "key" || change.kind === "counters" ? { ...change, setup } : change),
    get keyTransferFault() {
      return meter.keyTransferFault;
    },
    get certificateFault() {
      return meter.certificateFault;
    },
    get policyBits() {
      return meter.settings.setupPolicies?.[setup] ?? meter.profile.factoryPolicy;
    },
    setPolicyBits: (bits) => {
      const setupPolicies = { ...meter.settings.setupPolicies, [setup]: bits };
      meter.changeSettings({ ...meter.settings, setupPolicies });
    },
    onKeys: (purposes) => meter.onKeys(purposes, setup),
    crashesNow: (scope) => meter.crashesNow(scope),
  };
}
