import type { HomeConsumption } from "./load/home.ts";
import type { RelayTransition } from "./load/relay-history.ts";
import type { MeterSettings } from "./nvm/settings.ts";
import type { MeterEvent } from "./profile/companion-profile.ts";
import type { UnixSeconds } from "./time/calendar.ts";

/** control_state of disconnect control (Blue Book 4.5.8). */
export type ControlState = "disconnected" | "connected" | "readyForReconnection";

/** Modes in which a remote reconnection closes the relay; in the others somebody at the meter has to press its button. */
const REMOTE_RECONNECTION_CLOSES: readonly number[] = [2, 4];
/** Mode 0: the supply is always connected. */
const ALWAYS_CONNECTED = 0;
/** The highest control_mode there is. */
export const LAST_CONTROL_MODE = 6;

/** Scripts of the disconnector's script table (0-0:10.0.106.255). */
export const SUPPLY_SCRIPTS = { disconnect: 1, reconnect: 2 } as const;

/** What a supply needs of its meter. */
export interface SupplyOwner {
  readonly settings: MeterSettings;
  changeSettings(change: MeterSettings): void;
  keepTransition(transition: RelayTransition): void;
  log(event: MeterEvent, at: UnixSeconds): void;
}

/**
 * The supply behind one meter: relay, limiter and the scheduled switch.
 *
 * States (control_state): connected; disconnected; ready for reconnection, which is disconnected until somebody presses the button. All of it follows from
 * the relay's history and the meter's settings, both durable.
 */
export class Supply {
  readonly #home: HomeConsumption;
  readonly #owner: SupplyOwner;
  readonly #factoryMode: number;
  #overSince: UnixSeconds | undefined;
  #runs = 0;

  constructor(home: HomeConsumption, owner: SupplyOwner, factoryMode: number) {
    this.#home = home;
    this.#owner = owner;
    for (const { at, connected } of owner.settings.feedMoves ?? []) home.switchFeed(at, connected);
    this.#factoryMode = factoryMode;
  }

  /** Whether the relay is closed now. */
  get connected(): boolean {
    return this.#home.relay.transitions.at(-1)?.connected ?? true;
  }

  get state(): ControlState {
    if (this.connected) return "connected";
    return this.#owner.settings.awaitsReconnection === true ? "readyForReconnection" : "disconnected";
  }

  get mode(): number {
    return this.#owner.settings.disconnectMode ?? this.#factoryMode;
  }

  /** Opens the relay; false where the mode forbids it. */
  disconnect(at: UnixSeconds): boolean {
    if (this.mode === ALWAYS_CONNECTED) return false;
    this.#await(false);
    if (this.#switch(at, false)) this.#owner.log("remoteDisconnection", at);
    return true;
  }

  /** Closes the relay, or makes it ready to be closed at the meter, as the mode says. */
  reconnect(at: UnixSeconds): boolean {
    if (this.connected) return true;
    if (!REMOTE_RECONNECTION_CLOSES.includes(this.mode)) {
      this.#await(true);
      this.#owner.log("readyForReconnection", at);
      return true;
    }
    this.#await(false);
    if (this.#switch(at, true)) this.#owner.log("remoteConnection", at);
    return true;
  }

  /** How often somebody has had it switched since it was powered on, whether the relay moved or not. */
  get runs(): number {
    return this.#runs;
  }

  /** Runs a script of the disconnector's table; false where there is none of this number. */
  run(script: number, at: UnixSeconds): boolean {
    this.#runs += 1;
    if (script === SUPPLY_SCRIPTS.disconnect) return this.disconnect(at);
    return script === SUPPLY_SCRIPTS.reconnect ? this.reconnect(at) : false;
  }

  /** Whether `tick` has anything to watch. */
  get watches(): boolean {
    const { limiterThresholdW, scheduled, emergency } = this.#owner.settings;
    return limiterThresholdW !== undefined || scheduled !== undefined || emergency !== undefined;
  }

  /** Whether the limiter's emergency threshold counts. */
  emergencyAt(at: UnixSeconds): boolean {
    const { emergency } = this.#owner.settings;
    return emergency !== undefined && at >= emergency.from && at < emergency.from + emergency.seconds;
  }

  /** What the limiter lets pass now, in W; undefined where nothing is limited. */
  limitAt(at: UnixSeconds): number | undefined {
    const { limiterThresholdW, limiterEmergencyW } = this.#owner.settings;
    return this.emergencyAt(at) ? (limiterEmergencyW ?? EMERGENCY_W) : limiterThresholdW;
  }

  /** Opens or closes the relay through which the home feeds in. */
  feed(at: UnixSeconds, connected: boolean): void {
    if (!this.#home.switchFeed(at, connected)) return;
    this.#owner.changeSettings({ ...this.#owner.settings, feedMoves: [...this.#home.feed.transitions] });
  }

  /** Whether that relay is closed. */
  feedsAt(at: UnixSeconds): boolean {
    return this.#home.feed.connectedAt(at);
  }

  /** Lets time pass: the limiter compares, the schedule runs when it is due. */
  tick(at: UnixSeconds): void {
    const { scheduled, limiterSeconds } = this.#owner.settings;
    if (scheduled !== undefined && at >= scheduled.at) {
      const { scheduled: _, ...rest } = this.#owner.settings;
      this.#owner.changeSettings(rest);
      this.run(scheduled.script, at);
    }
    const limitW = this.limitAt(at);
    if (limitW === undefined || !this.connected || this.#home.powerW(at) <= limitW) {
      this.#overSince = undefined;
      return;
    }
    this.#overSince ??= at;
    if (at - this.#overSince < (limiterSeconds ?? LIMITER_SECONDS)) return;
    this.#overSince = undefined;
    this.#owner.log("limiterExceeded", at);
    if (this.#switch(at, false)) this.#await(true);
  }

  #switch(at: UnixSeconds, connected: boolean): boolean {
    if (!this.#home.switchSupply(at, connected)) return false;
    this.#owner.keepTransition({ at, connected });
    return true;
  }

  #await(awaitsReconnection: boolean): void {
    const { settings } = this.#owner;
    if ((settings.awaitsReconnection ?? false) !== awaitsReconnection) {
      this.#owner.changeSettings({ ...settings, awaitsReconnection });
    }
  }
}

/** What the limiter lets pass in an emergency, unless it is set otherwise: enough for light and a refrigerator, in W. */
export const EMERGENCY_W = 1_000;

/** How long a load must exceed the limiter's threshold before the relay opens, unless it is set otherwise. */
export const LIMITER_SECONDS = 60;
