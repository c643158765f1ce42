import { Worker } from "node:worker_threads";
import type { Handle } from "pkcs11js";
import { failureOf, HsmError } from "../errors.ts";
import type { FromToken, ToToken } from "../operations.ts";
import { wipeAdditionalData } from "./additional-data.ts";
import { type Cryptoki, findSlot, loadCryptoki } from "./cryptoki.ts";

// The process of one token: the vendor's library is loaded here and nowhere else. Initialised once and by one thread, since
// concurrent initialisation breaks libraries that claim to allow it; logged in once, since login holds for the process
// as long as one session is open. It holds no state that its starter could not make again by starting another.

type Work = ToToken & { readonly kind: "do" };
type Outcome = FromToken & { readonly kind: "done" | "refused" };

/** A piece of one call: a list is shared out among the sessions. */
interface Piece {
  readonly work: Work;
  readonly call: Call;
  readonly at: number;
}

interface Call {
  readonly work: Work;
  /** What the pieces came to, by their number. */
  readonly values: unknown[];
  /** Pieces that are still under way. */
  left: number;
  /** The first refusal of a piece. The caller hears of it when no piece is under way any more: one that hangs still has its deadline. */
  refusal: Outcome | undefined;
}

/** Operations over a list, whose parts can be done in several sessions at once. */
const SPLIT: ReadonlySet<string> = new Set(["macs", "gcm"]);

/** Items of a piece at most: whoever waits for a session waits for no long list of another's. */
const MOST_ITEMS = 4;

const idle: Worker[] = [];
const busy = new Map<Worker, Piece>();
const waiting: Piece[] = [];

process.on("disconnect", () => {
  // An exit waits for threads, and one whose library hangs never comes: this process would stay, logged in, with nobody to end it.
  if (busy.size > 0) process.kill(process.pid, "SIGKILL");
  process.exit(0);
});
process.on("message", (message: ToToken) => {
  if (message.kind === "begin") begin(message);
  else {
    const parts = split(message);
    const call: Call = { work: message, values: [], left: parts.length, refusal: undefined };
    for (const [at, work] of parts.entries()) waiting.push({ work, call, at });
    hand();
  }
});

function begin({ library: path, label, pin, sessions, allowsLastTry }: ToToken & { readonly kind: "begin" }): void {
  try {
    const cryptoki = loadCryptoki(path);
    const { library, ck } = cryptoki;
    library.C_Initialize({ flags: ck.CKF_OS_LOCKING_OK });
    const slot = findSlot(cryptoki, label);
    requireTries(cryptoki, slot, allowsLastTry);
    const session = library.C_OpenSession(slot, ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION);
    library.C_Login(session, ck.CKU_USER, pin);
  } catch (error) {
    const code = error instanceof HsmError ? error.code : failureOf(error) === "pin" ? "hsm-pin-refused" : "hsm-failed";
    leave(code, error);
    return;
  }
  for (let at = 0; at < sessions; at += 1) idle.push(startWorker(path, label));
  // Whoever asked may be gone by now: then the line's end is told, and that is enough.
  process.send?.({ kind: "ready" } satisfies FromToken, undefined, undefined, () => undefined);
}

/**
 * Asks the token how many wrong PINs it still takes, as far as it says so: whoever starts this process, and however often, the
 * last one is not used up by it.
 *
 * @throws HsmError `hsm-pin-refused` where it is locked, `hsm-pin-last-try`
 */
function requireTries({ library, ck }: Cryptoki, slot: Handle, allowsLastTry: boolean): void {
  const { flags } = library.C_GetTokenInfo(slot);
  if ((flags & ck.CKF_USER_PIN_LOCKED) !== 0)
    throw new HsmError("hsm-pin-refused", "it says that its PIN is locked: its security officer unlocks it");
  if ((flags & ck.CKF_USER_PIN_FINAL_TRY) !== 0 && !allowsLastTry)
    throw new HsmError("hsm-pin-last-try", "it says that one more wrong PIN locks it: none was tried");
}

function startWorker(library: string, label: string): Worker {
  const worker = new Worker(new URL("worker.ts", import.meta.url), { workerData: { library, label } });
  worker.on("message", (message: FromToken) => {
    if (message.kind === "failed") leave(message.code === "pin" ? "hsm-pin-refused" : "hsm-failed", message.message);
    else finish(worker, message as Outcome);
  });
  worker.on("error", (error) => leave("hsm-failed", error));
  return worker;
}

function hand(): void {
  while (idle.length > 0 && waiting.length > 0) {
    const worker = idle.pop()!;
    const piece = waiting.shift()!;
    busy.set(worker, piece);
    worker.postMessage(piece.work);
  }
}

/** Shared out among the sessions that are idle; where none is, in the largest pieces: each costs two messages. */
function split(work: Work): readonly Work[] {
  const [secret, texts, isChecked] = work.args as [unknown, readonly unknown[], boolean | undefined];
  if (!SPLIT.has(work.operation) || texts.length < 2) return [work];
  const size = Math.min(MOST_ITEMS, Math.ceil(texts.length / Math.max(1, idle.length - waiting.length)));
  const count = Math.ceil(texts.length / size);
  return Array.from({ length: count }, (_, at) => ({
    ...work,
    args: [secret, texts.slice(at * size, (at + 1) * size), isChecked],
  }));
}

function finish(worker: Worker, outcome: Outcome): void {
  const { call, at } = busy.get(worker)!;
  busy.delete(worker);
  idle.push(worker);
  call.left -= 1;
  if (outcome.kind === "done") call.values[at] = outcome.value;
  else call.refusal ??= outcome;
  if (call.left === 0) {
    wipeAdditionalData(call.work);
    process.send?.(call.refusal ?? doneOf(outcome.id, call.values));
  }
  hand();
}

function doneOf(id: number, values: readonly unknown[]): FromToken {
  return { kind: "done", id, value: values.length > 1 ? (values as unknown[][]).flat() : values[0] };
}

function leave(code: string, why: unknown): void {
  const message = why instanceof Error ? why.message : String(why);
  process.send?.({ kind: "failed", code, message } satisfies FromToken, () => process.exit(1));
}
