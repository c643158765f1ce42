import { isSignedBy, keysDraft, logName } from "../checkpoint/keys.ts";
import { type Checkpoint, parseNote } from "../checkpoint/note.ts";
import { type LedgerSigner, signedCheckpoint } from "../checkpoint/signer.ts";
import type { LedgerDraft } from "../entry.ts";
import { LedgerError } from "../errors.ts";
import { countingReads, newestEntry } from "../store.ts";
import { type LedgerChange, readChange, requireChangeFits } from "./change.ts";
import { historyOf, type KnownLedger, type LedgerHistory, RESUMED, WITNESSES } from "./history.ts";
import type { KeeperPorts, KeeperState } from "./keeper-ports.ts";
import { signedSoFar } from "./signed-so-far.ts";
import { WitnessDesk, type WitnessState } from "./witness-desk.ts";

/**
 * Keeps a ledger: signs checkpoints, has them witnessed, and refuses to go on when a witness has seen more than the
 * database holds.
 *
 * States: *new* (nothing examined), *open* (checkpoints are made), *halted* (for good: the database is not what a witness
 * has seen; only reading goes on). An open one is *held* while a witness has been away for longer than it may.
 */
export class LedgerKeeper {
  readonly #ports: KeeperPorts;
  readonly #desks: readonly WitnessDesk[];
  #history: LedgerHistory | undefined;
  /** What this process has seen of it: an entry that is changed since is missed, and takes nothing from it. */
  #known: KnownLedger = { keys: [], epoch: 1 };
  #signer: LedgerSigner | undefined;
  #last: { readonly checkpoint: Checkpoint; readonly note: string } | undefined;
  /** How many entries the newest stored checkpoint has; it is stored after witnesses have it. */
  #stored = 0;
  /** Why the last one could not be stored. */
  #unstored: unknown;
  /** Since when entries wait for one that is. */
  #waitingSince: number | undefined;
  #halt: LedgerError | undefined;
  #wanted: LedgerChange | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #told = new Map<string, WitnessState["state"]>();

  constructor(ports: KeeperPorts) {
    this.#ports = ports;
    const desk = {
      reads: ports.reads,
      checkpoints: ports.checkpoints,
      history: () => this.history(),
      renewNodes: ports.renewNodes ?? (async () => false),
      now: ports.now,
    };
    this.#desks = ports.witnesses.map((witness) => new WitnessDesk(witness, desk));
  }

  get state(): KeeperState {
    return {
      log: this.#history?.log,
      keys: this.#history?.keys ?? [],
      checkpoint: this.#last,
      witnesses: this.#desks.map(({ state }) => state),
      halt: this.#halt ?? this.#heldBy(),
      late: this.#lateBy(),
      wanted: this.#wanted,
    };
  }

  /** Refuses while nothing may be written and no key used. @throws LedgerError the reason. */
  check(): void {
    const reason = this.#halt ?? this.#heldBy();
    if (reason !== undefined) throw reason;
  }

  /** The database is not what this process has written: nothing goes on. */
  halt(reason: LedgerError): void {
    this.#halt ??= reason;
  }

  async history(): Promise<LedgerHistory> {
    if (this.#history !== undefined) return this.#history;
    const history = historyOf(await this.#ports.reads.ofItself(), this.#known);
    this.#known = { keys: history.keys.map(({ keys }) => keys), epoch: history.epoch };
    this.#history = history;
    return history;
  }

  /** Compares the database with what its witnesses have seen, before anything is written; then readies the signer. */
  async open(): Promise<void> {
    const { size } = await this.#ports.head();
    const stored = await this.#ports.checkpoints.last(size);
    this.#known = await signedSoFar(this.#ports, stored?.note);
    if (stored !== undefined && (await this.#isOurs(stored.note))) {
      this.#last = { checkpoint: parseNote(stored.note).checkpoint, note: stored.note };
      this.#stored = stored.size;
    }
    await this.#examine();
    if (this.#halt !== undefined) return;
    const { keys } = await this.history();
    const newest = keys.at(-1);
    if (newest === undefined) await this.#announce(await this.#ports.signer(1));
    else await this.#takeUp(newest.keys.version, newest.entry?.sequence);
    const names = this.#desks.map(({ state }) => state.name);
    const { witnesses } = await this.history();
    if (names.some((name) => !witnesses.includes(name))) await this.#record(WITNESSES, this.#named());
    await this.#ports.named?.keep(names);
  }

  /** Makes a checkpoint where one is due; to be called every second, and whenever much was written. */
  async tick(): Promise<void> {
    if (this.#halt !== undefined) return;
    const { everyEntries, everySeconds } = this.#ports.settings;
    const { size } = await this.#ports.head();
    if (size > this.#stored) this.#waitingSince ??= this.#ports.now();
    const last = this.#last?.checkpoint.size ?? 0;
    const grown = size - last;
    const age = this.#ports.now() - (this.#last?.checkpoint.at ?? 0);
    const isLagging = this.#stored !== last || this.#desks.some(({ state }) => state.size !== last);
    if (grown >= everyEntries || ((grown > 0 || isLagging) && age >= everySeconds * 1000)) await this.checkpoint();
  }

  /**
   * Signs the ledger as it is, gives that to the witnesses, and stores it: whoever keeps the database from storing it keeps nothing
   * from the witnesses. Those that are away get it later, and so does the database.
   */
  checkpoint(): Promise<void> {
    const turn = this.#turn.then(() => this.#checkpoint());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Changes the signing keys: the old ones sign the entry that announces the new ones. */
  async rotate(): Promise<number> {
    this.check();
    const version = ((await this.history()).keys.at(-1)?.keys.version ?? 0) + 1;
    const next = await this.#ports.signer(version);
    await this.#announce(next, this.#signer);
    await this.checkpoint();
    // Exports show by it that the former keys have signed for these.
    if (this.#stored !== this.#last?.checkpoint.size) throw this.#notStored();
    this.#signer = next;
    await this.#record("ledger-key-in-use", { version });
    await this.checkpoint();
    return version;
  }

  /** Whoever writes into the database puts rows there that are no checkpoints of this ledger. */
  async #isOurs(text: string): Promise<boolean> {
    const note = parseNote(text);
    return (await this.history()).keys.some(({ keys }) => isSignedBy(note, note.checkpoint.log, keys));
  }

  async #examine(): Promise<void> {
    const history = await this.history();
    const faults = await Promise.all(this.#desks.map((desk) => desk.examine()));
    const fault = faults.find((one) => one !== undefined);
    const configured = this.#desks.map(({ state }) => state.name);
    const named = new Set([...history.witnesses, ...((await this.#ports.named?.read()) ?? [])]);
    const gone = [...named].filter((name) => !configured.includes(name));
    if (fault?.code === "ledger-restored") await this.#resume(fault);
    else if (fault !== undefined) this.halt(fault);
    else if (gone.length > 0) await this.#giveUp(gone);
  }

  /** The way out of a restored database: two people have approved the loss, of exactly this database. */
  async #resume(fault: LedgerError): Promise<void> {
    const { log } = await this.history();
    const notes = await Promise.all(this.#ports.witnesses.map((one) => one.last(log ?? "").catch(() => undefined)));
    const seen = Math.max(...notes.map((note) => (note === undefined ? 0 : parseNote(note).checkpoint.size)));
    const done = await this.#onApproval(fault, { kind: "resume", log: log ?? "", seen });
    if (done === undefined) return;
    const { size } = await this.#ports.head();
    const newest = await newestEntry(countingReads(this.#ports.reads));
    await this.#record(RESUMED, {
      seen,
      lost: seen - size,
      // When what is left ends: from then on entries were lost.
      since: newest?.at ?? null,
      ...done,
      notes: notes.filter((note) => note !== undefined),
    });
    for (const desk of this.#desks) {
      const left = await desk.examine();
      if (left !== undefined) this.halt(left);
    }
  }

  async #giveUp(gone: readonly string[]): Promise<void> {
    const { log } = await this.history();
    const fault = new LedgerError(
      "ledger-witness-missing",
      `the ledger names the witnesses ${gone.join(", ")}, which are not configured any more`,
    );
    const done = await this.#onApproval(fault, { kind: "witnesses", log: log ?? "", witnesses: gone });
    if (done === undefined) return;
    // Before the entry, which makes the ledger another than the one that was approved.
    await this.#ports.named?.keep(this.#desks.map(({ state }) => state.name));
    await this.#record(WITNESSES, { ...this.#named(), gone, ...done });
  }

  async #onApproval(
    fault: LedgerError,
    wanted: Pick<LedgerChange, "kind" | "log" | "seen" | "witnesses">,
  ): Promise<{ readonly reason: string; readonly approvedBy: readonly string[] } | undefined> {
    const { approved, approvers, head } = this.#ports;
    const { size, root } = await head();
    this.#wanted = { ...wanted, size, root: Buffer.from(root).toString("hex"), reason: "" };
    if (approved === undefined) {
      this.halt(fault);
      return undefined;
    }
    try {
      const { change, approvedBy } = readChange(approved, approvers);
      requireChangeFits(change, wanted, { size, root });
      this.#wanted = undefined;
      return { reason: change.reason, approvedBy };
    } catch (error) {
      const why = error instanceof LedgerError ? error.message : String(error);
      this.halt(
        new LedgerError(fault.code, `${fault.message}. The approved change was refused: ${why}`, { cause: error }),
      );
      return undefined;
    }
  }

  /** Goes on with the newest keys; where a crash has left their announcement unsigned, the former ones sign it first. */
  async #takeUp(version: number, announcedAt: number | undefined): Promise<void> {
    // Keys whose entry does not hold are known by what they have signed.
    const isSigned = announcedAt === undefined || (await this.#ports.checkpoints.list(announcedAt, 1)).length > 0;
    if (version > 1 && !isSigned) {
      this.#signer = await this.#ports.signer(version - 1);
      await this.checkpoint();
    }
    this.#signer = await this.#ports.signer(version);
  }

  async #announce(signer: LedgerSigner, until: LedgerSigner = signer): Promise<void> {
    const { log } = await this.history();
    await this.#append(keysDraft(signer.keys, log ?? logName(signer.keys), this.#ports.now()));
    this.#signer = until;
  }

  async #checkpoint(): Promise<void> {
    if (this.#halt !== undefined || this.#signer === undefined) return;
    try {
      await this.#sign(this.#signer);
    } catch (error) {
      // While a witness holds everything up nothing can be said first; it must be reached all the same.
      if (this.#heldBy() !== undefined) await this.#deliver();
      throw error;
    }
    await this.#deliver();
    await this.#store();
  }

  async #sign(signer: LedgerSigner): Promise<void> {
    const head = await this.#ports.signableHead();
    const { log } = await this.history();
    if (log === undefined || head.size === 0 || head.size === this.#last?.checkpoint.size) return;
    const checkpoint = { log, ...head, at: this.#ports.now() };
    this.#last = { checkpoint, note: await signedCheckpoint(signer, checkpoint) };
  }

  /** Where that fails it is tried again with the next one, and told of when it is late. */
  async #store(): Promise<void> {
    if (this.#last === undefined || this.#halt !== undefined) return;
    const { checkpoint, note } = this.#last;
    try {
      if (this.#stored !== checkpoint.size && !(await this.#ports.checkpoints.add(checkpoint.size, note)))
        throw new LedgerError(
          "ledger-checkpoint-invalid",
          `another row stands in its place, of ${checkpoint.size} entries`,
        );
      this.#stored = checkpoint.size;
      this.#waitingSince = undefined;
      for (const desk of this.#desks) await desk.storeCosignature();
      this.#unstored = undefined;
    } catch (error) {
      this.#unstored = error;
    }
  }

  #lateBy(): LedgerError | undefined {
    const { settings, now } = this.#ports;
    const since = this.#waitingSince;
    return since === undefined || now() - since <= settings.latestSeconds * 1000 ? undefined : this.#notStored();
  }

  #notStored(): LedgerError {
    const why = this.#unstored instanceof Error ? `: ${this.#unstored.message}` : "";
    return new LedgerError(
      "ledger-checkpoint-late",
      `entries after ${this.#stored} wait for a checkpoint that is stored${why}`,
      { cause: this.#unstored },
    );
  }

  async #deliver(): Promise<void> {
    const note = this.#last?.note;
    if (note === undefined) return;
    const faults = await Promise.all(this.#desks.map((desk) => desk.give(note)));
    const fault = faults.find((one) => one !== undefined);
    if (fault !== undefined) this.halt(fault);
    else await this.#tell();
  }

  /** Has the ledger say which witnesses went away and came back. */
  async #tell(): Promise<void> {
    for (const { state } of this.#desks) {
      const before = this.#told.get(state.name) ?? "current";
      if (before === state.state || state.state === "unknown") continue;
      this.#told.set(state.name, state.state);
      const kind = state.state === "away" ? "ledger-witness-away" : "ledger-witness-back";
      const problem = state.problem === undefined ? {} : { problem: state.problem };
      if (this.#heldBy() === undefined) await this.#record(kind, { witness: state.name, ...problem });
    }
  }

  #heldBy(): LedgerError | undefined {
    const { settings, now } = this.#ports;
    const longest = settings.longestAwaySeconds * 1000;
    const gone = this.#desks.find(({ state }) => state.state === "away" && now() - state.since > longest)?.state;
    return (
      gone &&
      new LedgerError(
        "ledger-witness-away",
        `witness ${gone.name} has been away for more than ${settings.longestAwaySeconds} s: ${gone.problem ?? ""}`,
      )
    );
  }

  #named() {
    return { witnesses: this.#desks.map(({ state: { name, kind } }) => ({ name, kind })) };
  }

  #record(kind: string, body: unknown): Promise<void> {
    return this.#append({ at: this.#ports.now(), kind, principal: "ledger", utility: "*", island: "*", body });
  }

  async #append(draft: LedgerDraft): Promise<void> {
    await this.#ports.append(draft);
    this.#history = undefined;
    await this.history();
  }
}
