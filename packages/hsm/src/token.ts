import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { HsmError, type HsmErrorCode, hsmErrorCode } from "./errors.ts";
import type { FromToken, OperationName, TokenOperations, ToToken } from "./operations.ts";

/** Where a token is and how it is used. */
export interface TokenOptions {
  /** The vendor's PKCS#11 library. */
  readonly library: string;
  /** The token's label; slots move, labels stay. */
  readonly label: string;
  /** Asked for at each start of the token's process; kept by nobody in between. */
  readonly pin: () => string | Promise<string>;
  /** Sessions that work at the same time, each in a thread; 8 unless given. */
  readonly sessions?: number;
  /** How long an operation may take before the process is killed and started anew, in milliseconds; 5 000 unless given. */
  readonly deadlineMs?: number;
  /** A person has said that the first login is to be tried though one more wrong PIN may lock the token. */
  readonly allowsLastTry?: boolean;
  /** Counted for as long as this object lives unless given: then a start that is tried again and again tries the PIN twice at most. */
  readonly refusals?: PinRefusals;
  /** Added to the environment of the token's process, as vendors' libraries want it. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How often a token has refused its PIN since it last took one, kept over starts of whoever asks it. */
export interface PinRefusals {
  read(): number;
  keep(count: number): void;
  /** For people: where it is kept. */
  readonly where: string;
}

/** What a token is doing. */
export type TokenState =
  | { readonly kind: "starting" | "ready" | "closed" }
  /** It could not be started, or died; it is tried again by itself. */
  | { readonly kind: "down"; readonly why: string }
  /**
   * The PIN was refused, or not even tried since the token says that it is the last time; it is never tried again by itself,
   * since tokens count and lock.
   */
  | { readonly kind: "pin-refused"; readonly code: PinErrorCode; readonly why: string };

/** Why a PIN waits for people. */
export type PinErrorCode = Extract<HsmErrorCode, "hsm-pin-refused" | "hsm-pin-last-try">;

/** Every operation of a token, answered later. */
export type TokenCalls = {
  readonly [Name in OperationName]: (
    ...args: Parameters<TokenOperations[Name]>
  ) => Promise<Awaited<ReturnType<TokenOperations[Name]>>>;
};

interface Call {
  readonly id: number;
  readonly operation: OperationName;
  readonly args: readonly unknown[];
  readonly done: (value: unknown) => void;
  readonly fail: (error: HsmError) => void;
  /** When it was given to the process that runs now; undefined while none has it. */
  deadline: NodeJS.Timeout | undefined;
  readonly patience: NodeJS.Timeout;
}

const MAIN = fileURLToPath(new URL("token/main.ts", import.meta.url));
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;
/**
 * A PIN that was refused so often in a row is taken for one that the token may lock at the next time, also by a token that does not
 * say: those that lock do so after three to ten.
 */
const MOST_REFUSALS = 2;
/** A call outlives this many deadlines of its process, so that one restart in between is not felt. */
const PATIENCE_DEADLINES = 3;

/**
 * A PKCS#11 token behind a process of its own, which is started at once and again whenever it dies.
 *
 * A library that hangs or crashes takes its process with it and nothing else: calls under way are given to the next one,
 * since every operation can be repeated. A call fails with `hsm-timeout` when no process has answered it in
 * three deadlines, and at once, and for good, when the PIN was refused.
 */
export class Token implements AsyncDisposable {
  readonly #options: TokenOptions;
  readonly #calls = new Map<number, Call>();
  readonly #listeners = new Set<() => void>();
  #child: ChildProcess | undefined;
  #state: TokenState = { kind: "starting" };
  #nextId = 1;
  #pause = FIRST_PAUSE_MS;
  /** Why the last process ended, until one is ready again. */
  #why = "";
  #restart: NodeJS.Timeout | undefined;
  /** PINs refused since the token last took one. */
  #refusals = 0;

  constructor(options: TokenOptions) {
    this.#options = options;
    void this.#start(options.allowsLastTry ?? false);
  }

  get label(): string {
    return this.#options.label;
  }

  get state(): TokenState {
    return this.#state;
  }

  /** The process that runs now, for those who test what happens when it does not. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The operations; each rejects with an `HsmError`. */
  readonly calls: TokenCalls = new Proxy({} as TokenCalls, {
    get:
      (_, operation: OperationName) =>
      (...args: readonly unknown[]) =>
        this.#call(operation, args),
  });

  /**
   * Calls a listener when the token's process is gone or its PIN was refused: whoever has another token need not wait for
   * this one. @returns what stops it
   */
  onDown(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Tries a PIN again after `pin-refused`: a person has seen to it.
   *
   * Where one more wrong PIN may lock the token, which it says itself, or which two refusals in a row let us fear of one that
   * says nothing, it is tried only if the person says so as well (`allowsLastTry`); calls end with `hsm-pin-last-try` otherwise.
   */
  retryPin(allowsLastTry = false): void {
    if (this.#state.kind === "pin-refused") void this.#start(allowsLastTry);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    this.#state = { kind: "closed" };
    clearTimeout(this.#restart);
    this.#failAll("hsm-closed", "the token was closed");
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.disconnect();
    const kill = setTimeout(() => child.kill("SIGKILL"), 2_000);
    await gone;
    clearTimeout(kill);
  }

  #call(operation: OperationName, args: readonly unknown[]): Promise<never> {
    return new Promise((done, fail) => {
      const state = this.#state;
      if (state.kind === "closed") return fail(new HsmError("hsm-closed", "the token was closed"));
      if (state.kind === "pin-refused") return fail(new HsmError(state.code, state.why));
      const id = this.#nextId++;
      const patience = setTimeout(() => this.#giveUp(id), this.#deadlineMs * PATIENCE_DEADLINES);
      const call: Call = { id, operation, args, done: done as Call["done"], fail, deadline: undefined, patience };
      this.#calls.set(id, call);
      if (state.kind === "ready") this.#give(call);
    });
  }

  get #deadlineMs(): number {
    return this.#options.deadlineMs ?? 5_000;
  }

  async #start(allowsLastTry: boolean): Promise<void> {
    const { library, label, sessions = 8, env, refusals } = this.#options;
    const refused = Math.max(this.#refusals, refusals?.read() ?? 0);
    if (refused >= MOST_REFUSALS && !allowsLastTry) {
      const where = refusals === undefined ? "" : ` (counted in ${refusals.where})`;
      this.#latch("hsm-pin-last-try", `it has refused its PIN ${refused} times in a row${where}: none was tried`);
      return;
    }
    this.#state = { kind: "starting" };
    let pin: string;
    try {
      pin = await this.#options.pin();
    } catch (error) {
      this.#gone(`its PIN could not be had: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    // It may have been closed while somebody typed.
    if (this.state.kind === "closed") return;
    const child = fork(MAIN, [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { PATH: process.env["PATH"] ?? "", ...env },
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    this.#child = child;
    // It must answer even this in time: libraries hang in C_Initialize as well.
    const starting = setTimeout(() => child.kill("SIGKILL"), this.#deadlineMs);
    let why = "";
    child.on("message", (message: FromToken) => {
      if (message.kind === "ready") {
        clearTimeout(starting);
        this.#pause = FIRST_PAUSE_MS;
        this.#why = "";
        this.#count(0);
        this.#state = { kind: "ready" };
        for (const call of this.#calls.values()) this.#give(call);
      } else if (message.kind === "failed") {
        why = message.message;
        if (message.code === "hsm-pin-refused") {
          this.#count(Math.max(this.#refusals, this.#options.refusals?.read() ?? 0) + 1);
          this.#latch(message.code, message.message);
        } else if (message.code === "hsm-pin-last-try") this.#latch(message.code, message.message);
        else if (message.code === "hsm-binding-missing") this.#failAll(message.code, message.message);
      } else this.#settle(message);
    });
    child.on("error", (error) => {
      why = error.message;
    });
    child.once("exit", (code, signal) => {
      clearTimeout(starting);
      if (this.#child === child) this.#gone(why || `its process ended with ${signal ?? code}`);
    });
    child.send({ kind: "begin", library, label, pin, sessions, allowsLastTry } satisfies ToToken, () => undefined);
  }

  #give(call: Call): void {
    const { id, operation, args } = call;
    clearTimeout(call.deadline);
    const child = this.#child!;
    call.deadline = setTimeout(() => child.kill("SIGKILL"), this.#deadlineMs);
    // What a dying process did not take is given to the next one.
    child.send({ kind: "do", id, operation, args } satisfies ToToken, () => undefined);
  }

  #settle(message: FromToken & { kind: "done" | "refused" }): void {
    const call = this.#take(message.id);
    if (call === undefined) return;
    if (message.kind === "done") call.done(message.value);
    else call.fail(new HsmError(hsmErrorCode(message.code), `token ${this.label}: ${message.message}`));
  }

  #gone(why: string): void {
    if (this.#state.kind === "closed" || this.#state.kind === "pin-refused") return;
    for (const call of this.#calls.values()) clearTimeout(call.deadline);
    this.#why = why;
    this.#state = { kind: "down", why };
    for (const listener of [...this.#listeners]) listener();
    this.#restart = setTimeout(() => void this.#start(false), this.#pause);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
  }

  #count(refusals: number): void {
    this.#refusals = refusals;
    try {
      this.#options.refusals?.keep(refusals);
    } catch {
      // It is counted here at least.
    }
  }

  #latch(code: PinErrorCode, why: string): void {
    const message =
      code === "hsm-pin-refused"
        ? `token ${this.label} refused its PIN, which is not tried again until somebody has seen to it: ${why}`
        : `the next wrong PIN may lock token ${this.label}, and somebody has to say that it is to be tried all the same: ${why}`;
    this.#state = { kind: "pin-refused", code, why: message };
    this.#failAll(code, message);
  }

  #giveUp(id: number): void {
    const why = this.#why === "" ? "" : `: ${this.#why}`;
    this.#take(id)?.fail(new HsmError("hsm-timeout", `token ${this.label} did not answer in time${why}`));
  }

  #failAll(code: HsmErrorCode, message: string): void {
    for (const id of [...this.#calls.keys()]) this.#take(id)?.fail(new HsmError(code, message));
  }

  #take(id: number): Call | undefined {
    const call = this.#calls.get(id);
    if (call === undefined) return undefined;
    this.#calls.delete(id);
    clearTimeout(call.deadline);
    clearTimeout(call.patience);
    return call;
  }
}
