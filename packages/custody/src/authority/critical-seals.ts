import { systemTitleText, toHex } from "@meterkeep/dlms";
import type { OwnTime } from "@meterkeep/guard";
import {
  type Approving,
  type AskedAct,
  actsOf,
  type CommandToken,
  capOf,
  classOf,
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
  type Verdict,
} from "@meterkeep/guard";
import type { LedgerDraft } from "@meterkeep/ledger";
import type { Caller } from "../calls/caller.ts";
import { CustodyError } from "../errors.ts";
import { withSealMacs } from "../records/record-mac.ts";
import type { SealRefusal } from "../session/seal-budget.ts";
import type { Committer } from "../store/committer.ts";
import { setupName } from "../store/memory-names.ts";
import type { SetupPlace } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { approvingOf } from "./approvals.ts";
import { capsLifted, thresholdsAt } from "./document.ts";
import type { DocumentKeeper } from "./document-keeper.ts";
import type { OpenManifests } from "./manifests.ts";
import type { RelyingParty } from "./people/passkey.ts";
import { isSigned } from "./people/user-signature.ts";
import { SealBook } from "./seal-book.ts";
import type { AuthorityRecords, OffCaps, OffCounts, SealCaps, SealOutcome } from "./store/records.ts";

/** What judging critical requests needs. */
export interface SealDependencies {
  readonly records: AuthorityRecords;
  readonly store: Pick<CustodyStore, "meterCount">;
  readonly documents: DocumentKeeper;
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

/** How old the size of the fleet may be that caps are a share of. */
const FLEET_MILLISECONDS = 10 * 60_000;

/** Why one more would be too many; undefined where it would not. */
function beyond(
  { day, tenMinutes }: OffCounts,
  { offPerDay, offPerTenMinutes }: OffCaps,
  what: string,
): string | undefined {
  if (day >= offPerDay) return `${day} ${what} count in 24 hours, no more than ${offPerDay} are sealed (MC-01)`;
  return tenMinutes >= offPerTenMinutes
    ? `${tenMinutes} ${what} count in ten minutes, no more than ${offPerTenMinutes} are sealed (MC-02)`
    : undefined;
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
  /** Setups with seals that may not be settled. */
  readonly #open: Set<string>;
  readonly #book: SealBook;
  #halted = false;
  /** By utility; of all under the empty name. */
  readonly #fleets = new Map<string, { readonly lived: number; readonly size: number }>();
  readonly #approving = new Map<string, { readonly revision: number; readonly people: readonly Approving[] }>();

  private constructor(dependencies: SealDependencies, open: Set<string>, book: SealBook) {
    this.#dependencies = dependencies;
    this.#open = open;
    this.#book = book;
  }

  static async open(dependencies: SealDependencies): Promise<CriticalSeals> {
    const open = new Set((await dependencies.records.openSeals()).map((seal) => setupName(seal)));
    return new CriticalSeals(dependencies, open, await SealBook.open(dependencies.records, dependencies.vault));
  }

  /** Why nothing critical is sealed: the seals that count are not those that were written. */
  get spoilt(): string | undefined {
    return this.#book.spoilt;
  }

  /** How many setups have seals that are not settled. */
  get unsettled(): number {
    return this.#open.size;
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

  /** Judges a request that needs a token against the one that came with it. */
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
    const earliest = earliestOf(header, target);
    if (at < earliest) return refusal("command-not-due", `its time comes in ${Math.ceil((earliest - at) / 1000)} s`);
    const allowed = actsOf(header.operation)[token.act];
    const difference = allowed === undefined ? "no such act" : differenceOf(allowed, asked, at);
    if (allowed === undefined || difference !== undefined)
      return notAccepted(`the manifest allows something else: ${difference}`);
    const people = await this.#approvingOf(manifestHash, header.createdAt);
    const missing = missingFor(requirementOf(header, thresholdsAt(documents.document, at)), people, header.requester);
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
    if (caps !== undefined) {
      const { day } = this.#book.offCounts(lived);
      const over =
        beyond(this.#book.offCounts(lived), caps, "such commands") ??
        beyond(this.#book.offCounts(lived, place.utility), caps.ofUtility, `such commands to ${place.utility}`);
      if (over !== undefined) return refusal(over);
      if (day + 1 === caps.warning)
        entries.push(this.#entry("critical-warning", place, caller.name, { rule: "MC-01", count: day + 1 }));
    }
    const { utility, island, systemTitle, setup } = place;
    const seal = {
      utility,
      island,
      systemTitle,
      setup,
      nonce,
      manifest: manifestHash,
      keyVersion,
      counter,
      act: token.act,
      once,
      direction,
      loadW,
      sealedAt: now(),
      sealedLived: lived,
    };
    // First of all: what is under way is never forgotten, whatever becomes of the commit.
    this.#open.add(setupName(place));
    const again = "its token was used, it was done already, or the meter was switched too recently (MC-05, MC-18)";
    if (!this.#book.sealed(seal)) return refusal(again);
    try {
      const open = { outcome: undefined, settledAt: undefined, settledLived: undefined };
      const [bound] = await withSealMacs(vault, [{ ...seal, ...open }]);
      await committer.submit({
        writes: [{ kind: "seal-critical", seal, mac: bound?.mac as Uint8Array, caps }],
        entries,
      });
    } catch (error) {
      if (!(error instanceof CustodyError) || error.code !== "custody-write-conflict") throw error;
      this.#book.dropped(nonce);
      return refusal(again);
    }
    return undefined;
  }

  /** The meter has answered the sealed request of that nonce. */
  async answered(
    place: SetupPlace,
    nonce: string,
    counter: number,
    outcome: SealOutcome,
    caller: Caller,
  ): Promise<void> {
    await this.#settle(place, nonce, counter + 1, outcome, caller);
  }

  /** The meter has proven in a fresh association that it took counters from `first` on: whatever is below it is dead. */
  async established(place: SetupPlace, first: number, caller: Caller): Promise<void> {
    if (!this.#open.has(setupName(place))) return;
    await this.#settle(place, undefined, first, "superseded", caller);
  }

  async #settle(
    place: SetupPlace,
    nonce: string | undefined,
    below: number,
    outcome: SealOutcome,
    caller: Caller,
  ): Promise<void> {
    const { committer, vault, time, now, records } = this.#dependencies;
    const [at, lived] = [now(), time.lived];
    const meant = (await records.openSeals(place)).filter(
      (seal) => seal.counter < below && (nonce === undefined || seal.nonce === nonce),
    );
    const settled = meant.map((seal) => ({ ...seal, outcome, settledAt: at, settledLived: lived }));
    await committer.submit({
      writes: [{ kind: "settle-seals", seals: await withSealMacs(vault, settled) }],
      entries: [this.#entry("critical-settled", place, caller.name, { outcome, below, ...(nonce && { nonce }) })],
    });
    this.#book.settled(
      meant.map((seal) => seal.nonce),
      lived,
    );
    if ((await records.openSeals(place)).length === 0) this.#open.delete(setupName(place));
  }

  /** How many meters there are, counted anew every ten minutes lived: counting millions takes seconds. */
  async #fleetSize(utility?: string): Promise<number> {
    const { store, time } = this.#dependencies;
    const { lived } = time;
    const known = this.#fleets.get(utility ?? "");
    if (known !== undefined && lived - known.lived <= FLEET_MILLISECONDS) return known.size;
    const size = await store.meterCount(utility);
    this.#fleets.set(utility ?? "", { lived, size });
    return size;
  }

  async #caps(direction: Direction, utility: string): Promise<(SealCaps & { readonly warning: number }) | undefined> {
    const { documents, now } = this.#dependencies;
    if (direction !== "off" || capsLifted(documents.document, now())) return undefined;
    const { offPerDay, offPerDayWarning, offPerTenMinutes, toggleMinutes, togglesPerDay } = thresholdsAt(
      documents.document,
      now(),
    );
    const [fleet, own] = await Promise.all([this.#fleetSize(), this.#fleetSize(utility)]);
    const of = (meters: number) => ({
      offPerDay: capOf(offPerDay, meters),
      offPerTenMinutes: capOf(offPerTenMinutes, meters),
    });
    return {
      ...of(fleet),
      ofUtility: of(own),
      warning: capOf(offPerDayWarning, fleet),
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
