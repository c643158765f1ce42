import {
  attemptFailed,
  attemptsForgiven,
  NO_FAILED_ATTEMPTS,
  type PortProtectionSettings,
  type PortProtectionState,
  protectionStatus,
} from "@meterkeep/dlms";
import type { MeterSettings } from "./nvm/settings.ts";
import type { UnixSeconds } from "./time/calendar.ts";

/** What these meters leave the factory with: nobody is locked out until a client switches it on. */
const FACTORY: PortProtectionSettings = {
  protectionMode: "unlocked",
  allowedFailedAttempts: 10,
  initialLockoutTime: 60,
  steepnessFactor: 2,
  maxLockoutTime: 3600,
  portReference: "0.0.25.0.0.255",
};

/** What the guard needs of its meter. */
export interface GuardOwner {
  readonly settings: MeterSettings;
  changeSettings(settings: MeterSettings): void;
  now(): UnixSeconds;
}

/**
 * Slows down who guesses keys at a meter's port (class 124). Settings and failed attempts are the meter's memory, so that
 * a power cut forgives nothing. Only attempts to associate count, and only they find the port locked: whoever is
 * associated goes on.
 */
export class PortGuard {
  readonly #owner: GuardOwner;

  constructor(owner: GuardOwner) {
    this.#owner = owner;
  }

  get settings(): PortProtectionSettings {
    return this.#owner.settings.portProtection ?? FACTORY;
  }

  get state(): PortProtectionState {
    return this.#owner.settings.failedAttempts ?? NO_FAILED_ATTEMPTS;
  }

  change(portProtection: PortProtectionSettings): void {
    this.#owner.changeSettings({ ...this.#owner.settings, portProtection });
  }

  keep(failedAttempts: PortProtectionState): void {
    this.#owner.changeSettings({ ...this.#owner.settings, failedAttempts });
  }

  /** Whether nobody is heard now. A mode that locks for good leaves the one way to unlock it: the depot. */
  get isLocked(): boolean {
    return protectionStatus(this.state, this.settings, this.#owner.now() * 1000) !== "unlocked";
  }

  failed(): void {
    this.keep(attemptFailed(this.state, this.settings, this.#owner.now() * 1000));
  }

  /** Somebody proved who they are. */
  proved(): void {
    if (this.state.failedAttempts > 0) this.keep(attemptsForgiven(this.state));
  }
}
