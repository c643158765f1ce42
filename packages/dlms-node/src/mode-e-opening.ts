import type { Duplex } from "node:stream";
import {
  type Cancellation,
  type LineSettings,
  ModeEClient,
  type ModeEClientAction,
  type ModeEClientEvent,
  type ModeEClientOptions,
  ModeEServer,
  type ModeEServerAction,
  type ModeEServerEvent,
  type ModeEServerOptions,
  type PortIdentification,
} from "@meterkeep/dlms";
import { DeadlineTimer } from "./deadline-timer.ts";
import { TransportError } from "./transport-error.ts";

/** Sets a line, after all that was written has left. A TCP converter that does this itself needs nothing of it. */
export type SetLine = (settings: LineSettings) => void | Promise<void>;

/** An optical port that has gone over to HDLC. */
export interface OpenedPort {
  readonly identification: PortIdentification;
  readonly baudRate: number;
}

type Event = ModeEClientEvent | ModeEServerEvent;
type Action = ModeEClientAction | ModeEServerAction;

/**
 * Opens an optical port for HDLC in mode E, as the reader. The stream is then the HDLC connection's.
 *
 * @throws LineError `line-silent`, `opening-refused`, `opening-malformed`; TransportError `connection-closed`,
 * `exchange-aborted`, and what `setLine` throws.
 */
export async function openModeE(
  stream: Duplex,
  setLine: SetLine,
  options: ModeEClientOptions = {},
  signal?: Cancellation,
): Promise<OpenedPort> {
  const machine = new ModeEClient(options);
  const opened = Promise.withResolvers<OpenedPort>();
  const driver = drive(stream, setLine, machine, opened.reject, (action) => {
    if (action.kind === "opened" && "identification" in action) opened.resolve(action);
    if (action.kind === "failed") opened.reject(action.error);
  });
  const cancelled = () => opened.reject(new TransportError("exchange-aborted", "opening the port was cancelled"));
  signal?.addEventListener("abort", cancelled, { once: true });
  if (signal?.aborted === true) cancelled();
  else driver.tell({ kind: "start" });
  try {
    return await opened.promise;
  } finally {
    signal?.removeEventListener("abort", cancelled);
    driver.stop();
  }
}

/**
 * Waits, as a meter, until a reader has opened the port, and gives the speed of HDLC. The stream is then to be served.
 *
 * @throws TransportError `connection-closed` when the line ends before.
 */
export async function awaitModeE(
  stream: Duplex,
  setLine: SetLine,
  options: ModeEServerOptions,
): Promise<{ readonly baudRate: number }> {
  const opened = Promise.withResolvers<{ readonly baudRate: number }>();
  const driver = drive(stream, setLine, new ModeEServer(options), opened.reject, (action) => {
    if (action.kind === "opened") opened.resolve(action);
  });
  driver.tell({ kind: "close" });
  try {
    return await opened.promise;
  } finally {
    driver.stop();
  }
}

/** Feeds a machine from a stream and performs what it says, one after the other: a line takes time to be set. */
function drive<E extends Event, A extends Action>(
  stream: Duplex,
  setLine: SetLine,
  machine: {
    readonly deadline: number | undefined;
    step(
      event: E | { readonly kind: "octets"; readonly octets: Uint8Array } | { readonly kind: "time" },
      now: number,
    ): readonly A[];
  },
  fail: (error: unknown) => void,
  onAction: (action: A) => void,
) {
  type Told = Parameters<typeof machine.step>[0];
  const timer = new DeadlineTimer(() => tell({ kind: "time" }));
  let performed = Promise.resolve();
  const onData = (octets: Uint8Array | string) => {
    if (typeof octets !== "string") tell({ kind: "octets", octets });
  };
  const onClose = () => fail(new TransportError("connection-closed", "the line was closed while the port was opened"));
  stream.on("data", onData).on("close", onClose).on("error", onClose);

  function tell(event: Told): void {
    const actions = machine.step(event, performance.now());
    timer.set(machine.deadline);
    performed = performed.then(async () => {
      for (const action of actions) {
        if (action.kind === "transmit") stream.write(action.octets);
        else if (action.kind === "line") await setLine(action.settings);
        else onAction(action);
      }
    });
    performed.catch(fail);
  }

  return {
    tell,
    stop() {
      timer.clear();
      stream.off("data", onData).off("close", onClose).off("error", onClose);
      // What comes now is for the next who listens.
      stream.pause();
    },
  };
}
