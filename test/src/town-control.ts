import { existsSync } from "node:fs";
import { askControl } from "./control-socket.ts";

/** What is really so with a meter, whatever it may say. */
export interface MeterTruth {
  readonly systemTitle: string;
  readonly role: "home" | "transformer";
  readonly feeder: string;
  readonly profile: string;
  /** Whether the home has power. */
  readonly supplied: boolean;
  /** How often somebody has had its supply switched since the town was started. */
  readonly switchings: number;
  /** Whether the limiter's emergency threshold counts now. */
  readonly limited: boolean;
  /** Whether the relay of injection is closed. */
  readonly feeding: boolean;
  readonly inField: boolean;
  /** Whether somebody is connected to it now. */
  readonly connected: boolean;
  /** The serial number of the certificate that it last called over TLS with, hex. */
  readonly shown: string | null;
  readonly lastReceivedCounter: number;
  readonly clockOffsetSeconds: number;
  /** What runs. */
  readonly firmware: string;
  /** How far the image is that it was given last, by class 18. */
  readonly image: string;
  /** The gas meter that is installed: how far its channel is with its key, and whether what it sends can be read. */
  readonly gas: { readonly key: string; readonly isRead: boolean } | null;
  readonly port: number;
  readonly depotPort: number | null;
}

/** A request of the town's control socket (apps/town/src/control.ts). */
export type TownRequest =
  | { readonly do: "truth" }
  | {
      readonly do: "fault";
      readonly meter: string;
      readonly fault:
        | "delay"
        | "drop"
        | "reorder"
        | "duplicate"
        | "truncate"
        | "flip"
        | "flip-request"
        | "reset"
        | "crash-before"
        | "crash-after"
        | null;
      readonly amount?: number;
      readonly scope?: "any" | "association" | "key-transfer";
      readonly times?: number;
      readonly after?: number;
    }
  | { readonly do: "measured"; readonly meter: string; readonly from: number; readonly to: number }
  | { readonly do: "roll-clock"; readonly meter: string; readonly seconds: number }
  | { readonly do: "roll-counter"; readonly meter: string; readonly to: number }
  | { readonly do: "power-cycle"; readonly meter: string }
  | { readonly do: "capture-period"; readonly meter: string; readonly seconds: number }
  | { readonly do: "gas-meter"; readonly meter: string; readonly defaultKey: string }
  | { readonly do: "key-fault"; readonly meter: string; readonly fault: string | number }
  | { readonly do: "push-destination"; readonly meter: string; readonly destination: string }
  | { readonly do: "on-the-spot"; readonly meter: string; readonly on: boolean }
  | { readonly do: "eavesdrop" | "replay"; readonly meter: string }
  | { readonly do: "silence" | "call-again" | "sleep" | "wake"; readonly meter: string }
  | { readonly do: "push"; readonly meter: string; readonly kind: "alarm" | "report" };

/** The town's control socket of an installation. */
export interface TownControl {
  /** All requests, in order, over one connection. @throws Error when one is refused or the town is not there */
  ask(requests: readonly TownRequest[]): Promise<readonly unknown[]>;
  truth(): Promise<readonly MeterTruth[]>;
  isThere(): boolean;
}

/** Speaks with the town of an installation; the file system lets its owner and root alone. */
export function townControl(stateDirectory: string): TownControl {
  const path = `${stateDirectory}/town/control.sock`;
  const ask = (requests: readonly TownRequest[]): Promise<readonly unknown[]> => askControl(path, requests);
  return {
    ask,
    truth: async () => ((await ask([{ do: "truth" }]))[0] as { readonly meters: readonly MeterTruth[] }).meters,
    isThere: () => existsSync(path),
  };
}
