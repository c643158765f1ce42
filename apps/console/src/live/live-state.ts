/**
 * Whether the page may call itself live. Pure: `step(state, event)`.
 *
 * `connecting`: nothing heard yet. `live`: the stream is open and was heard within the limit. `lost`: it broke off or fell silent; what is shown is as of `heardAt`.
 */
export interface LiveState {
  readonly connection: "connecting" | "live" | "lost";
  /** When the stream was last heard, ms on this machine's clock. */
  readonly heardAt: number | undefined;
}

export type LiveEvent =
  | { readonly kind: "heard"; readonly at: number }
  | { readonly kind: "broken" }
  | { readonly kind: "checked"; readonly at: number };

/** The server's heartbeat comes every 10 s; two missed ones are silence. */
export const SILENCE_LIMIT_MS = 25_000;

export const INITIAL_LIVE_STATE: LiveState = { connection: "connecting", heardAt: undefined };

export function step(state: LiveState, event: LiveEvent): LiveState {
  switch (event.kind) {
    case "heard":
      return { connection: "live", heardAt: event.at };
    case "broken":
      return state.connection === "lost" ? state : { ...state, connection: "lost" };
    case "checked":
      return state.connection === "live" && event.at - (state.heardAt ?? event.at) > SILENCE_LIMIT_MS
        ? { ...state, connection: "lost" }
        : state;
  }
}
