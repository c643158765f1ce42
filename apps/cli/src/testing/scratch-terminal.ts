import { PassThrough } from "node:stream";
import type { Terminal } from "../terminal.ts";

/** A terminal in memory: nobody is at it, and what is written can be read. */
export interface ScratchTerminal extends Terminal {
  out(): string;
  err(): string;
}

/** Makes one with the environment given. */
export function scratchTerminal(env: Terminal["env"] = {}): ScratchTerminal {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end();
  const text = { out: "", err: "" };
  stdout.setEncoding("utf8").on("data", (piece: string) => {
    text.out += piece;
  });
  stderr.setEncoding("utf8").on("data", (piece: string) => {
    text.err += piece;
  });
  return {
    stdin,
    stdout,
    stderr,
    env,
    interrupted: new AbortController().signal,
    exitStatus: 0,
    out: () => text.out,
    err: () => text.err,
  };
}
