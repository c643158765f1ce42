import { DisconnectControl } from "../cosem/classes/disconnect-control.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";

/** control_state (Blue Book 4.5.8). */
export type ControlState = "disconnected" | "connected" | "readyForReconnection";

/** What makes a disconnector move: a client, somebody at the meter, or a function of the meter such as the limiter. */
export type DisconnectorTrigger =
  | "remoteDisconnect"
  | "remoteReconnect"
  | "manualDisconnect"
  | "manualReconnect"
  | "localDisconnect"
  | "localReconnect";

/**
 * What each control mode allows (Blue Book 4.5.8, table of control_mode): a remote reconnection closes at once (d is the
 * transition), or makes ready for a manual one (b), or is not allowed. Disconnecting by hand and reconnecting by hand or
 * by a function of the meter are allowed where the row says so.
 */
export const CONTROL_MODES = {
  0: { disconnects: false, manualDisconnect: false, remoteReconnect: "none", localReconnect: false },
  1: { disconnects: true, manualDisconnect: true, remoteReconnect: "ready", localReconnect: false },
  2: { disconnects: true, manualDisconnect: true, remoteReconnect: "connect", localReconnect: false },
  3: { disconnects: true, manualDisconnect: false, remoteReconnect: "ready", localReconnect: false },
  4: { disconnects: true, manualDisconnect: false, remoteReconnect: "connect", localReconnect: false },
  5: { disconnects: true, manualDisconnect: true, remoteReconnect: "ready", localReconnect: true },
  6: { disconnects: true, manualDisconnect: false, remoteReconnect: "ready", localReconnect: true },
} as const;

export type ControlMode = keyof typeof CONTROL_MODES;

/** Whether a number is one of the control modes. */
export function isControlMode(mode: number): mode is ControlMode {
  return Object.hasOwn(CONTROL_MODES, mode);
}

/** The state after a trigger; undefined where the mode does not allow it. A trigger that changes nothing is allowed. */
export function stepDisconnector(
  state: ControlState,
  trigger: DisconnectorTrigger,
  mode: ControlMode,
): ControlState | undefined {
  const allowed = CONTROL_MODES[mode];
  switch (trigger) {
    case "remoteDisconnect":
      return allowed.disconnects ? "disconnected" : undefined;
    case "localDisconnect":
      if (!allowed.disconnects) return undefined;
      // What the meter itself cut off may be closed by hand; what a client cut off stays so.
      return state === "connected" ? "readyForReconnection" : state;
    case "manualDisconnect":
      if (!allowed.manualDisconnect) return undefined;
      return state === "connected" ? "readyForReconnection" : state;
    case "remoteReconnect":
      if (allowed.remoteReconnect === "none") return undefined;
      if (state === "connected") return state;
      return allowed.remoteReconnect === "connect" ? "connected" : "readyForReconnection";
    case "manualReconnect":
      if (!allowed.disconnects) return undefined;
      if (state === "connected") return state;
      return state === "readyForReconnection" ? "connected" : undefined;
    case "localReconnect":
      if (!allowed.localReconnect) return undefined;
      return state === "readyForReconnection" ? "connected" : state === "connected" ? state : undefined;
    default:
      return trigger satisfies never;
  }
}

/** What a disconnector is put together from. */
export interface DisconnectorParts {
  readonly mode: ControlMode;
  readonly state?: ControlState;
  /** Moves the switch, and keeps the state. */
  readonly onState?: (state: ControlState, trigger: DisconnectorTrigger) => void;
}

/** The switch of a meter (class 70). States and transitions are those of `stepDisconnector`. */
export class Disconnector {
  readonly #onState: DisconnectorParts["onState"];
  #mode: ControlMode;
  #state: ControlState;

  constructor({ mode, state = "connected", onState }: DisconnectorParts) {
    this.#mode = mode;
    this.#state = state;
    this.#onState = onState;
  }

  get state(): ControlState {
    return this.#state;
  }

  get mode(): ControlMode {
    return this.#mode;
  }

  set mode(mode: ControlMode) {
    this.#mode = mode;
  }

  /** Pulls a trigger; false where the mode forbids it. */
  pull(trigger: DisconnectorTrigger): boolean {
    const next = stepDisconnector(this.#state, trigger, this.#mode);
    if (next === undefined) return false;
    if (next === this.#state) return true;
    this.#state = next;
    this.#onState?.(next, trigger);
    return true;
  }
}

/** Serves class 70 from the switch of a meter. */
export function serveDisconnector<State>(
  disconnectorOf: (state: State, context: ServeContext) => Disconnector,
): ServedClass<State> {
  const pull = (trigger: DisconnectorTrigger, state: State, context: ServeContext) =>
    disconnectorOf(state, context).pull(trigger) ? undefined : refuse("other-reason");
  return DisconnectControl.serve<State>({
    get: {
      outputState: (state, context) => disconnectorOf(state, context).state === "connected",
      controlState: (state, context) => disconnectorOf(state, context).state,
      controlMode: (state, context) => disconnectorOf(state, context).mode,
    },
    set: {
      controlMode: (mode, state, context) => {
        if (!isControlMode(mode)) return refuse("other-reason");
        disconnectorOf(state, context).mode = mode;
        return undefined;
      },
    },
    call: {
      remoteDisconnect: (_, state, context) => pull("remoteDisconnect", state, context),
      remoteReconnect: (_, state, context) => pull("remoteReconnect", state, context),
    },
  });
}
