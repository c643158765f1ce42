import type { Duplex } from "node:stream";

/** The common name in the gate's certificate, whichever machine it is on. */
export const GATE_NAME = "gate";

/**
 * What goes through a gate: each stream is a connection of its own, and says in its handshake (ALPN) what it is. Only the last
 * one is read by the gate itself; the others it carries.
 */
export const GATE_STREAMS = {
  /** To the custodian's socket: inside, worker and custodian prove themselves to each other once more. */
  custodian: "meterkeep-custodian",
  /** To the connections that the server holds (ADR 0037). */
  lines: "meterkeep-lines",
  /** To the head-end's database. */
  database: "meterkeep-database",
  /** What a worker on the server's machine finds in files. */
  desk: "http/1.1",
} as const;
export type GateStream = keyof typeof GATE_STREAMS;

/** Who is gone without a word is known after so long and ten seconds more. */
export const KEEP_ALIVE_MILLISECONDS = 10_000;

/** Carries octets both ways until either end is gone, and then ends the other. */
export function carry(one: Duplex, other: Duplex): void {
  one.on("error", () => undefined);
  other.on("error", () => undefined);
  one.once("close", () => other.destroy());
  other.once("close", () => one.destroy());
  if (one.destroyed || other.destroyed) {
    one.destroy();
    other.destroy();
    return;
  }
  one.pipe(other);
  other.pipe(one);
}
