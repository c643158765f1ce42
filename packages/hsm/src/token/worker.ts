import { parentPort, workerData } from "node:worker_threads";
import { failureOf, HsmError } from "../errors.ts";
import type { FromToken, ToToken } from "../operations.ts";
import { wipeAdditionalData } from "./additional-data.ts";
import { loadCryptoki } from "./cryptoki.ts";
import { performIn } from "./perform.ts";
import { TokenSession } from "./session.ts";

// One session of the token in a thread of its own. The library was initialised, and the user logged in, by the main thread:
// both hold for the whole process.

const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 10;

const { library, label } = workerData as { readonly library: string; readonly label: string };
const port = parentPort!;
const session = new TokenSession(loadCryptoki(library), label);
const operations = performIn(session);
const pause = new Int32Array(new SharedArrayBuffer(4));

type Work = ToToken & { readonly kind: "do" };

port.on("message", (work: Work) => {
  port.postMessage(answer(work));
  wipeAdditionalData(work);
});

function answer({ id, operation, args }: Work): FromToken {
  let failed: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    try {
      return { kind: "done", id, value: (operations[operation] as (...all: readonly unknown[]) => unknown)(...args) };
    } catch (error) {
      failed = error;
      // Whatever failed may have left an operation active in the session, and handles that mean nothing any more.
      session.renew();
      const failure = failureOf(error);
      if (failure === "token" || failure === "pin") return { kind: "failed", code: failure, message: String(error) };
      if (failure === "transient") Atomics.wait(pause, 0, 0, FIRST_PAUSE_MS * 2 ** attempt);
      else if (failure !== "session" && !isStale(error)) break;
    }
  }
  const message = failed instanceof Error ? failed.message : String(failed);
  return { kind: "refused", id, code: codeOf(failed), message: `${operation}: ${message}` };
}

/** A wrong object behind a handle shows in its check value: handles are looked up anew before a key is called wrong. */
function isStale(error: unknown): boolean {
  return error instanceof HsmError && error.code === "hsm-key-wrong";
}

function codeOf(error: unknown): string {
  if (error instanceof HsmError) return error.code;
  return failureOf(error) === "permanent" ? "hsm-refused" : "hsm-failed";
}
