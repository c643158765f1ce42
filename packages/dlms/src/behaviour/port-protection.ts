import { CommunicationPortProtection } from "../cosem/classes/communication-port-protection.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";

/** How a port is protected (Blue Book 4.4.12). Durations are seconds. */
export interface PortProtectionSettings {
  readonly protectionMode: "locked" | "lockedOnFailedAttempts" | "unlocked";
  readonly allowedFailedAttempts: number;
  readonly initialLockoutTime: number;
  /** Each further lock-out lasts so many times as long as the one before. */
  readonly steepnessFactor: number;
  readonly maxLockoutTime: number;
  readonly portReference: string;
}

/** What outlives a power failure: an attacker must not be able to reset the lock with the fuse. */
export interface PortProtectionState {
  readonly failedAttempts: number;
  readonly cumulativeFailedAttempts: number;
  /** Milliseconds since 1970 UTC; 0 when it is not locked. */
  readonly lockedUntil: number;
}

/** No attempt has failed yet. */
export const NO_FAILED_ATTEMPTS: PortProtectionState = {
  failedAttempts: 0,
  cumulativeFailedAttempts: 0,
  lockedUntil: 0,
};

/**
 * Slows down who guesses (class 124). Pure: the state after an attempt that failed at an instant.
 *
 * Up to `allowedFailedAttempts` attempts cost nothing. The next one locks the port for the initial lock-out time, and each
 * one after it for `steepnessFactor` times as long as before, up to the longest. Attempts that come while the port is
 * locked are not heard, so they do not count.
 */
export function attemptFailed(
  state: PortProtectionState,
  settings: PortProtectionSettings,
  at: number,
): PortProtectionState {
  const failedAttempts = Math.min(state.failedAttempts + 1, MOST_ATTEMPTS);
  const cumulativeFailedAttempts = Math.min(state.cumulativeFailedAttempts + 1, MOST_ATTEMPTS);
  const beyond = failedAttempts - settings.allowedFailedAttempts;
  if (settings.protectionMode !== "lockedOnFailedAttempts" || beyond <= 0)
    return { ...state, failedAttempts, cumulativeFailedAttempts };
  const { initialLockoutTime, steepnessFactor, maxLockoutTime } = settings;
  const seconds = Math.min(initialLockoutTime * Math.max(steepnessFactor, 1) ** (beyond - 1), maxLockoutTime);
  return { failedAttempts, cumulativeFailedAttempts, lockedUntil: at + seconds * 1000 };
}

const MOST_ATTEMPTS = 0xffff_ffff;

/** The state after somebody proved who they are, or the `reset` method: the count of all attempts stays. */
export function attemptsForgiven(state: PortProtectionState): PortProtectionState {
  return { ...state, failedAttempts: 0, lockedUntil: 0 };
}

/** protection_status at an instant: while it is not `unlocked` the port hears nobody. */
export function protectionStatus(
  state: PortProtectionState,
  { protectionMode }: Pick<PortProtectionSettings, "protectionMode">,
  at: number,
): "unlocked" | "temporarilyLocked" | "locked" {
  if (protectionMode === "locked") return "locked";
  return protectionMode === "lockedOnFailedAttempts" && at < state.lockedUntil ? "temporarilyLocked" : "unlocked";
}

/** What serving a port's protection needs of the meter. */
export interface PortProtectionPorts<State> {
  readonly settings: (state: State, context: ServeContext) => PortProtectionSettings;
  readonly change: (settings: PortProtectionSettings, state: State, context: ServeContext) => unknown;
  readonly read: (state: State, context: ServeContext) => PortProtectionState;
  readonly keep: (kept: PortProtectionState, state: State, context: ServeContext) => unknown;
  /** Milliseconds since 1970 UTC. */
  readonly now: (state: State) => number;
}

/** Serves class 124 with its behaviour. */
export function servePortProtection<State>(ports: PortProtectionPorts<State>): ServedClass<State> {
  const { settings } = ports;
  const change = (part: Partial<PortProtectionSettings>, state: State, context: ServeContext) =>
    ports.change({ ...settings(state, context), ...part }, state, context);
  return CommunicationPortProtection.serve<State>({
    get: {
      protectionMode: (state, context) => settings(state, context).protectionMode,
      allowedFailedAttempts: (state, context) => settings(state, context).allowedFailedAttempts,
      initialLockoutTime: (state, context) => settings(state, context).initialLockoutTime,
      steepnessFactor: (state, context) => settings(state, context).steepnessFactor,
      maxLockoutTime: (state, context) => settings(state, context).maxLockoutTime,
      portReference: (state, context) => settings(state, context).portReference,
      protectionStatus: (state, context) =>
        protectionStatus(ports.read(state, context), settings(state, context), ports.now(state)),
      failedAttempts: (state, context) => ports.read(state, context).failedAttempts,
      cumulativeFailedAttempts: (state, context) => ports.read(state, context).cumulativeFailedAttempts,
    },
    set: {
      protectionMode: (protectionMode, state, context) => change({ protectionMode }, state, context),
      allowedFailedAttempts: (attempts, state, context) => change({ allowedFailedAttempts: attempts }, state, context),
      initialLockoutTime: (seconds, state, context) => change({ initialLockoutTime: seconds }, state, context),
      steepnessFactor: (steepnessFactor, state, context) => change({ steepnessFactor }, state, context),
      maxLockoutTime: (seconds, state, context) => change({ maxLockoutTime: seconds }, state, context),
    },
    call: {
      reset: (_, state, context) => ports.keep(attemptsForgiven(ports.read(state, context)), state, context),
    },
  });
}
