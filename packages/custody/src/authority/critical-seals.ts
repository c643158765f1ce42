import { systemTitleText, toHex } from "@meterkeep/dlms";
import type { OwnTime } from "@meterkeep/guard";
import {
  type Approving,
  type AskedAct,
  actsOf,
  type CommandToken,
  calendarProblem,
  capOf,
  classOf,
  commandRulesOf,
  type Direction,
  differenceOf,
  directionOf,
  earliestOf,
  isRepeatable,
  type Manifest,
  MOST_TOKEN_MILLISECONDS,
  missingFor,
  operationWords,
  readToken,
  requirementOf,
  stopsBecause,
  takesOff,
  type Verdict,
  valueProblem,
} from "@meterkeep/guard";
import type { LedgerDraft } from "@meterkeep/ledger";
import type { Caller } from "../calls/caller.ts";
import { CustodyError } from "../errors.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import { withSealMacs } from "../records/record-mac.ts";
import type { SealRefusal } from "../session/seal-budget.ts";
import type { Committer } from "../store/committer.ts";
import type { SetupPlace } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { approvingOf } from "./approvals.ts";
import { capsLifted, clockDoubtOf, thresholdsAt } from "./document.ts";
import type { DocumentKeeper } from "./document-keeper.ts";
import type { ExecutedChanges } from "./executed-changes.ts";
import { FleetSize } from "./fleet-size.ts";
import { type OpenManifests, sha384 } from "./manifests.ts";
import { diesWith, OpenSeals, type ProvenSession } from "./open-seals.ts";
import type { RelyingParty } from "./people/passkey.ts";
import { isSigned } from "./people/user-signature.ts";
import { SealBook } from "./seal-book.ts";
import type { AuthorityRecords, CriticalSeal, OffCaps, OffCounts, SealCaps, SealOutcome } from "./store/records.ts";

/** What judging critical requests needs. */
export interface SealDependencies {
  readonly records: AuthorityRecords;
  readonly store: Pick<CustodyStore, "provenMeterCount" | "provenMeterSample">;
  readonly files: Pick<CheckedFiles, "load">;
  readonly documents: DocumentKeeper;
  readonly executed: ExecutedChanges;
  readonly manifests: OpenManifests;
  readonly party: RelyingParty;
  readonly committer: Committer;
  readonly vault: Pick<Vault, "authenticate">;
  readonly time: OwnTime;
  readonly now: () => number;
}

/** A critical request that may be sealed, once its seal is recorded. */
export interface Permit {
  readonly token: CommandToken;
  readonly nonce: string;
  readonly manifestHash: string;
  readonly manifest: Manifest;
  readonly asked: AskedAct;
  readonly direction: Direction;
  readonly loadW: number;
  readonly once: boolean;
  readonly approvedBy: readonly string[];
}

/** Why a critical request is not sealed; `detail` is for the ledger alone. */
export type CriticalRefusal = SealRefusal & { readonly detail?: string };

/** What is looked at besides what the transaction holds to. */
type HeldCaps = SealCaps & { readonly warning: number; readonly signChanges: number };

/** Why one more would be too many; undefined where it would not. */
function beyond(
  { day, month, tenMinutes }: OffCounts,
  { offPerDay, offPerMonth, offPerTenMinutes }: OffCaps,
  what: string,
): string | undefined {
  const within = [
    [day, offPerDay, "24 hours", "MC-01"],
    [month, offPerMonth, "30 days", "MC-01"],
    [tenMinutes, offPerTenMinutes, "ten minutes", "MC-02"],
  ] as const;
  const found = within.find(([count, most]) => count >= most);
  if (found === undefined) return undefined;
  const [count, most, window, rule] = found;
  return `${count} ${what} count in ${window}, no more than ${most} are sealed (${rule})`;
}

type NeedsToken = Extract<Verdict, { kind: "needs-token" }>;

/**
 * Decides which critical requests are sealed, and remembers every one until the meter has shown what became of it.
 *
 * `judge` says whether a request is what people approved; `record` makes its seal durable under the caps, in one
 * transaction with its entry in the ledger; `settle` hears what the meter has proven.
 */
export class CriticalSeals {
  readonly #dependencies: SealDependencies;
  readonly #open: OpenSeals;
  readonly #book: SealBook;
  #halted = false;
  readonly #fleet: FleetSize;
  readonly #approving = new Map<string, { readonly revision: number; readonly people: readonly Approving[] }>();

  private constructor(dependencies: SealDependencies, open: OpenSeals, book: SealBook) {
    this.#dependencies = dependencies;
    this.#open = open;
    this.#book = book;
    this.#fleet = new FleetSize(dependencies);
  }

  static async open(dependencies: SealDependencies): Promise<CriticalSeals> {
    const open = new OpenSeals(await dependencies.records.openSeals());
    return new CriticalSeals(dependencies, open, await SealBook.open(dependencies.records, dependencies.vault));
  }

  /** Why nothing critical is sealed: the seals that count, or the meters that they count against, are not those that were written. */
  get spoilt(): string | undefined {
    return this.#book.spoilt ?? this.#fleet.spoilt;
  }

  /** How many setups have seals that are not settled. */
  get unsettled(): number {
    return this.#open.setups;
  }

  /** Whether a class of command is frozen now. */
  isFrozen(verdict: NeedsToken): boolean {
    const { document } = this.#dependencies.documents;
    return (this.#halted || document.frozen !== undefined) && isGrave(verdict);
  }

  /** Stops at once; what is durable about it comes after. */
  halt(): void {
    this.#halted = true;
  }

  /** The freeze is over, durably. */
  goOn(): void {
    this.#halted = false;
  }

  /** Judges a request that needs a token against the one that came with it, and what people have approved behind it (MC-20). */
  async judge(place: SetupPlace, verdict: NeedsToken, octets: Uint8Array): Promise<Permit | CriticalRefusal> {
    const { documents, time, now } = this.#dependencies;
    const { effect, summary } = verdict.gravest;
    const refusal = (code: SealRefusal["code"], message: string, detail?: string): CriticalRefusal => ({
      code,
      effect,
      message: `${summary}: ${message}`,
      ...(detail !== undefined && { detail }),
    });
    const notAccepted = (detail: string) =>
      refusal(
        "command-token-not-accepted",
        "the command token does not allow it; the custodian's ledger says why",
        detail,
      );
    const spoilt = documents.spoilt ?? this.spoilt;
    if (spoilt !== undefined) return notAccepted(spoilt);
    if (this.isFrozen(verdict)) return refusal("frozen", "everything critical is frozen");
    if (time.jump !== undefined)
      return refusal(
        "clock-jumped",
        `the clock was set by ${time.jump} ms since the start; start anew when it is right`,
      );
    const [asked, ...others] = verdict.acts;
    if (asked === undefined || others.length > 0 || !verdict.confirmed)
      return notAccepted("a critical request is one act, and asks for an answer");
    const read = readSafely(octets);
    if (read === undefined) return notAccepted("not a command token");
    const { token, signed, signature } = read;
    const issuer = documents.document.policyServices.find(({ name }) => name === token.issuer);
    if (issuer === undefined || !isSigned(Buffer.from(issuer.publicKey, "hex"), signed, signature))
      return notAccepted("no enrolled policy service has signed it");
    if (systemTitleText(token.meter) !== place.systemTitle) return notAccepted("it is for another meter");
    const manifestHash = toHex(token.manifest);
    const manifest = await this.#dependencies.manifests.find(manifestHash);
    if (manifest === undefined) return notAccepted("no manifest of that hash is kept here");
    const { header } = manifest;
    const target = manifest.find(place.systemTitle);
    if (header.utility !== place.utility || header.island !== place.island || target === undefined)
      return notAccepted("the meter is no target of the manifest");
    const at = now();
    const lifetime = token.notAfter - token.notBefore;
    if (lifetime > MOST_TOKEN_MILLISECONDS[classOf(header.operation)]) return notAccepted("it is good for too long");
    if (at < token.notBefore || at >= token.notAfter) return notAccepted("it is not good now");
    if (at >= header.notAfter) return notAccepted("the manifest's window is over");
    const present = thresholdsAt(documents.document, at);
    if (takesOff(directionOf(header.operation))) {
      const doubt = clockDoubtOf(documents.document, time);
      if (doubt !== undefined && !capsLifted(documents.document, at)) return refusal(doubt.code, doubt.message);
      const closed = calendarProblem(header.reason, present, at);
      if (closed !== undefined) return notAccepted(`${closed} (MC-08)`);
    }
    const earliest = earliestOf(header, target);
    if (at < earliest) return refusal("command-not-due", `its time comes in ${Math.ceil((earliest - at) / 1000)} s`);
    const stop = this.#stopped(manifestHash, header);
    if (stop !== undefined) return notAccepted(`${stop} (MC-13)`);
    const allowed = actsOf(header.operation)[token.act];
    const difference =
      allowed === undefined
        ? "no such act"
        : differenceOf(allowed, asked, { now: at, meter: place.systemTitle, sha384 });
    if (allowed === undefined || difference !== undefined)
      return notAccepted(`the manifest allows something else: ${difference}`);
    const unbounded = valueProblem(header.operation, present);
    if (unbounded !== undefined) return notAccepted(`${unbounded} (MC-21)`);
    const people = await this.#approvingOf(manifestHash, header.createdAt);
    const missing = missingFor(requirementOf(header, present), people, header.requester);
    if (missing !== undefined) return notAccepted(missing);
    return {
      token,
      nonce: toHex(token.nonce),
      manifestHash,
      manifest,
      asked,
      direction: directionOf(header.operation),
      loadW: target.loadW,
      once: !isRepeatable(allowed),
      approvedBy: people.map(({ name }) => name),
    };
  }

  /** MC-13: whether what was shown by the meters before is reason enough to stop a manifest that takes off from several. */
  #stopped(hash: string, { operation, targets }: Manifest["header"]): string | undefined {
    if (targets < 2 || !takesOff(directionOf(operation))) return undefined;
    const { documents, now } = this.#dependencies;
    const { autoStop } = commandRulesOf(thresholdsAt(documents.document, now()));
    const stop = stopsBecause(this.#book.shown(hash), autoStop);
    return stop && `the manifest has stopped by itself: ${stop.sentence}`;
  }

  /** Makes a seal durable before it is made, under the caps. Gives a refusal where a cap or an earlier seal is in the way. */
  async record(
    place: SetupPlace,
    {
      keyVersion,
      counter,
      isSigned,
    }: { readonly keyVersion: number; readonly counter: number; readonly isSigned: boolean },
    permit: Permit,
    caller: Caller,
  ): Promise<CriticalRefusal | undefined> {
    const { committer, vault, time, now } = this.#dependencies;
    const { asked, direction, nonce, manifestHash, loadW, once, token } = permit;
    const caps = await this.#caps(direction, place.utility);
    const lived = time.lived;
    const entries: LedgerDraft[] = [
      this.#entry("critical-sealed", place, caller.name, this.#story(permit, counter, isSigned)),
    ];
    const refusal = (message: string): CriticalRefusal => ({
      code: "cap-reached",
      effect: asked.effect,
      message: `${asked.summary}: ${message}`,
    });
    if (this.#fleet.spoilt !== undefined)
      return {
        code: "command-token-not-accepted",
        effect: asked.effect,
        message: `${asked.summary}: the command token does not allow it; the custodian's ledger says why`,
        detail: this.#fleet.spoilt,
      };
    if (caps !== undefined) {
      const all = this.#book.offCounts(lived, direction);
      const own = this.#book.offCounts(lived, direction, place.utility);
      const over =
        beyond(all, caps, "such commands") ?? beyond(own, caps.ofUtility, `such commands to ${place.utility}`);
      if (over !== undefined) return refusal(over);
      const swings = this.#book.signChanges(lived, direction);
      if (swings > caps.signChanges)
        return refusal(
          `${swings} changes between off and on in five minutes, no more than ${caps.signChanges} (MC-06)`,
        );
      if (all.day + 1 === caps.warning)
        entries.push(this.#entry("critical-warning", place, caller.name, { rule: "MC-01", count: all.day + 1 }));
    }
    const { utility, island, systemTitle, setup } = place;
    const seal: CriticalSeal = {
      utility,
      island,
      systemTitle,
      setup,
      nonce,
      manifest: manifestHash,
      keyVersion,
      counter,
      isSigned,
      act: token.act,
      once,
      direction,
      loadW,
      sealedAt: now(),
      sealedLived: lived,
    };
    const again = "its token was used, it was done already, or the meter was switched too recently (MC-05, MC-18)";
    // First of all: what is under way is never forgotten, whatever becomes of the commit.
    if (!this.#open.begin(seal)) return refusal(again);
    if (!this.#book.sealed(seal)) {
      this.#open.remove(seal);
      return refusal(again);
    }
    try {
      const open = { outcome: undefined, settledAt: undefined, settledLived: undefined };
      const [bound] = await withSealMacs(vault, [{ ...seal, ...open }]);
      await committer.submit({
        writes: [{ kind: "seal-critical", seal, mac: bound?.mac as Uint8Array, caps }],
        entries,
      });
    } catch (error) {
      if (error instanceof CustodyError && error.code === "custody-write-conflict") {
        this.#book.dropped(nonce);
        this.#open.remove(seal);
        return refusal(again);
      }
      // It may be there: it counts until the meter shows that it is dead.
      this.#open.written(seal);
      throw error;
    }
    this.#open.written(seal);
    return undefined;
  }

  /** Whether a meter has signed requests whose outcome is not known: only a later transaction shows that they are dead. */
  hasSigned(place: SetupPlace): boolean {
    return this.#open.hasSigned(place);
  }

  /** The meter has answered a sealed request: what went before it under the same kind of key it can do no more. */
  async answered(
    place: SetupPlace,
    {
      nonce,
      counter,
      keyVersion,
      isSigned,
    }: {
      readonly nonce: string;
      readonly counter: number;
      readonly keyVersion: number;
      readonly isSigned: boolean;
    },
    outcome: SealOutcome,
    caller: Caller,
  ): Promise<void> {
    const isBefore = (seal: CriticalSeal): boolean =>
      seal.counter < counter && seal.isSigned === isSigned && (isSigned || seal.keyVersion === keyVersion);
    const shown = (seal: CriticalSeal): SealOutcome | undefined =>
      seal.nonce === nonce ? outcome : isBefore(seal) ? "superseded" : undefined;
    await this.#settle(place, shown, { outcome, below: counter + 1, nonce }, caller);
  }

  /** The meter has proven in a fresh association that it took counters from `first` on. */
  async established(place: SetupPlace, session: ProvenSession, caller: Caller): Promise<void> {
    const shown = (seal: CriticalSeal) => (diesWith(seal, session) ? ("superseded" as const) : undefined);
    await this.#settle(place, shown, { outcome: "superseded", below: session.first }, caller);
  }

  /** The meter has taken the transaction of a counter: what was signed before it can be done no more. */
  async transacted(place: SetupPlace, counter: number, caller: Caller): Promise<void> {
    const shown = (seal: CriticalSeal) =>
      seal.isSigned && seal.counter < counter ? ("superseded" as const) : undefined;
    await this.#settle(place, shown, { outcome: "superseded", belowTransaction: counter }, caller);
  }

  async #settle(
    place: SetupPlace,
    outcomeOf: (seal: CriticalSeal) => SealOutcome | undefined,
    story: { readonly outcome: SealOutcome; readonly nonce?: string } & Readonly<Record<string, unknown>>,
    caller: Caller,
  ): Promise<void> {
    const shown = this.#open.take(place, outcomeOf);
    if (shown.length === 0) return;
    const { committer, vault, time, now } = this.#dependencies;
    const [at, lived] = [now(), time.lived];
    const settled = shown.map(({ seal, outcome }) => ({ ...seal, outcome, settledAt: at, settledLived: lived }));
    try {
      await committer.submit({
        writes: [{ kind: "settle-seals", seals: await withSealMacs(vault, settled) }],
        entries: [this.#entry("critical-settled", place, caller.name, { ...story, seals: shown.length })],
      });
    } catch (error) {
      this.#open.putBack(shown);
      throw error;
    }
    for (const { seal, outcome } of shown) this.#book.settled([seal.nonce], lived, outcome);
  }

  /** How many that can switch off count now, and how many may. */
  async counts(): Promise<Omit<OffCounts, "month"> & { readonly dayCap: number; readonly tenMinutesCap: number }> {
    const { documents, time, now } = this.#dependencies;
    const { offPerDay, offPerTenMinutes } = thresholdsAt(documents.document, now());
    const fleet = await this.#fleet.now();
    const { day, tenMinutes } = this.#book.offCounts(time.lived, "off");
    return {
      day,
      tenMinutes,
      dayCap: capOf(offPerDay, fleet),
      tenMinutesCap: capOf(offPerTenMinutes, fleet),
    };
  }

  async #caps(direction: Direction, utility: string): Promise<HeldCaps | undefined> {
    const { documents, now } = this.#dependencies;
    if (!takesOff(direction) || capsLifted(documents.document, now())) return undefined;
    const present = thresholdsAt(documents.document, now());
    const { offPerDay, offPerDayWarning, offPerTenMinutes, toggleMinutes, togglesPerDay } = present;
    const { offPerMonth, signChanges } = commandRulesOf(present);
    const [fleet, own] = await Promise.all([this.#fleet.now(), this.#fleet.now(utility)]);
    const of = (meters: number): OffCaps => ({
      offPerDay: capOf(offPerDay, meters),
      offPerMonth: capOf(offPerMonth, meters),
      offPerTenMinutes: capOf(offPerTenMinutes, meters),
    });
    return {
      ...of(fleet),
      ofUtility: of(own),
      warning: capOf(offPerDayWarning, fleet),
      signChanges,
      toggleMilliseconds: toggleMinutes * 60_000,
      togglesPerDay,
    };
  }

  /** Verified once for each revision of the authority. */
  async #approvingOf(hash: string, createdAt: number): Promise<readonly Approving[]> {
    const { documents, records, party } = this.#dependencies;
    const { revision, document } = documents;
    const held = this.#approving.get(hash);
    if (held?.revision === revision) return held.people;
    const people = await approvingOf(party, records, document, { hash, createdAt });
    if (this.#approving.size > 1000) this.#approving.clear();
    this.#approving.set(hash, { revision, people });
    return people;
  }

  /** Approvals have come: what was verified is verified again. */
  forget(hash: string): void {
    this.#approving.delete(hash);
  }

  #story(
    { manifest: { header }, manifestHash, token, nonce, asked, approvedBy, direction }: Permit,
    counter: number,
    isSigned: boolean,
  ) {
    const { document } = this.#dependencies.documents;
    return {
      manifest: manifestHash,
      operation: operationWords(header.operation).slice(0, 256),
      act: token.act,
      summary: asked.summary,
      direction,
      requester: header.requester,
      workOrder: header.workOrder,
      approvedBy,
      issuer: token.issuer,
      nonce,
      counter,
      signed: isSigned,
      ...(capsLifted(document, this.#dependencies.now()) && { breakGlass: document.breakGlass?.change }),
    };
  }

  #entry(kind: string, place: SetupPlace, principal: string, body: unknown): LedgerDraft {
    const { utility, island, systemTitle } = place;
    return { at: this.#dependencies.now(), kind, principal, utility, island, meter: systemTitle, body };
  }
}

/** Whether a request is of a class that is frozen: what configures goes on. */
function isGrave({ gravest }: NeedsToken): boolean {
  return gravest.effect !== "clock" && gravest.effect !== "configuration";
}

function readSafely(octets: Uint8Array): ReturnType<typeof readToken> | undefined {
  try {
    return readToken(octets);
  } catch {
    return undefined;
  }
}
