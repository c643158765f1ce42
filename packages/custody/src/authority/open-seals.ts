import { setupName } from "../store/memory-names.ts";
import type { SetupPlace } from "../store/records.ts";
import type { CriticalSeal, SealOutcome } from "./store/records.ts";

/** A seal and what the meter has shown of it. */
export interface ShownSeal {
  readonly seal: CriticalSeal;
  readonly outcome: SealOutcome;
}

interface OpenSeal {
  readonly seal: CriticalSeal;
  /** Its row may be there: what is being written cannot be settled yet. */
  isWritten: boolean;
}

/** A session that a meter has proven itself in. */
export interface ProvenSession {
  /** The first counter of its association, which the meter took. */
  readonly first: number;
  readonly keyVersion: number;
  /** Whether the change of keys that brought this version has proven that those before are dead. */
  readonly isProven: boolean;
}

/**
 * The seals whose outcome is not known, by the security setup they are for.
 *
 * What kills one depends on the key it went under. Under the unicast key it is a later counter that the meter took under the
 * same key, or the key's proven death. What was signed went under a key made for it alone, and meters judge it by its
 * transaction id: a later counter says nothing, a later transaction does.
 */
export class OpenSeals {
  readonly #open = new Map<string, Map<string, OpenSeal>>();

  constructor(seals: readonly CriticalSeal[]) {
    for (const seal of seals) this.#add(seal, true);
  }

  /** How many setups have any. */
  get setups(): number {
    return this.#open.size;
  }

  /** One is about to be written; false where its nonce is there already. */
  begin(seal: CriticalSeal): boolean {
    return this.#add(seal, false);
  }

  /** It is written, or may be. */
  written(seal: CriticalSeal): void {
    const open = this.#open.get(setupName(seal))?.get(seal.nonce);
    if (open !== undefined) open.isWritten = true;
  }

  /** It was surely not written, or it is settled. */
  remove(seal: CriticalSeal): void {
    const name = setupName(seal);
    const open = this.#open.get(name);
    open?.delete(seal.nonce);
    if (open?.size === 0) this.#open.delete(name);
  }

  /** Takes out those that `shown` gives an outcome of; who cannot make that durable puts them back. */
  take(place: SetupPlace, shown: (seal: CriticalSeal) => SealOutcome | undefined): ShownSeal[] {
    const taken: ShownSeal[] = [];
    for (const { seal, isWritten } of this.#open.get(setupName(place))?.values() ?? []) {
      const outcome = isWritten ? shown(seal) : undefined;
      if (outcome !== undefined) taken.push({ seal, outcome });
    }
    for (const { seal } of taken) this.remove(seal);
    return taken;
  }

  /** Could not be made durable after all. */
  putBack(shown: readonly ShownSeal[]): void {
    for (const { seal } of shown) this.#add(seal, true);
  }

  /** Whether something signed is open. */
  hasSigned(place: SetupPlace): boolean {
    return [...(this.#open.get(setupName(place))?.values() ?? [])].some(({ seal: { isSigned } }) => isSigned);
  }

  #add(seal: CriticalSeal, isWritten: boolean): boolean {
    const name = setupName(seal);
    const open = this.#open.get(name) ?? new Map<string, OpenSeal>();
    if (open.has(seal.nonce)) return false;
    open.set(seal.nonce, { seal, isWritten });
    this.#open.set(name, open);
    return true;
  }
}

/** Whether a meter that has proven itself in a session can never do what was sealed before it. */
export function diesWith({ isSigned, counter, keyVersion }: CriticalSeal, session: ProvenSession): boolean {
  if (isSigned || counter >= session.first) return false;
  return keyVersion === session.keyVersion || (keyVersion < session.keyVersion && session.isProven);
}
