import type { KEY_COMMANDS, KeyState } from "@meterkeep/api/custodian";

/** NIST SP 800-57 part 1, figure 3: which states a key may go to from each. */
export const KEY_TRANSITIONS: Readonly<Record<KeyState, readonly KeyState[]>> = {
  "pre-activation": ["active", "destroyed", "compromised"],
  active: ["suspended", "deactivated", "compromised"],
  suspended: ["active", "deactivated", "compromised"],
  deactivated: ["compromised", "destroyed"],
  compromised: ["destroyed-compromised"],
  destroyed: ["destroyed-compromised"],
  "destroyed-compromised": [],
};

/** Whether a key may go from one state to another. */
export function mayBecome(from: KeyState, to: KeyState): boolean {
  return KEY_TRANSITIONS[from].includes(to);
}

/** The state that a command brings a key into. */
export function stateAfter(command: (typeof KEY_COMMANDS)[number], from: KeyState): KeyState {
  switch (command) {
    case "suspend":
      return "suspended";
    case "resume":
      return "active";
    case "compromise":
      return from === "destroyed" ? "destroyed-compromised" : "compromised";
    case "destroy":
      return from === "compromised" ? "destroyed-compromised" : "destroyed";
    default:
      return command satisfies never;
  }
}

/** Whether a key may protect traffic: one that is compromised may, until its successor is proven. */
export function isUsable(state: KeyState): boolean {
  return state !== "suspended" && state !== "destroyed" && state !== "destroyed-compromised";
}
