import type { Terminal } from "./terminal.ts";

/** Says that the command is to end, until it is disposed. */
export interface Termination extends Disposable {
  readonly signal: AbortSignal;
}

/** Hears Ctrl-C, and what a service manager or a terminal that closes sends: for commands that have something to clean up. */
export function hearTermination({ interrupted }: Pick<Terminal, "interrupted">): Termination {
  const terminated = new AbortController();
  const terminate = (): void => terminated.abort();
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.once(signal, terminate);
  return {
    signal: AbortSignal.any([interrupted, terminated.signal]),
    [Symbol.dispose]: () => {
      for (const signal of ["SIGTERM", "SIGHUP"] as const) process.off(signal, terminate);
    },
  };
}
