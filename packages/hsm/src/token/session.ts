import type { Handle, Template } from "pkcs11js";
import { HsmError } from "../errors.ts";
import { type Cryptoki, findSlot } from "./cryptoki.ts";
import { keyId } from "./templates.ts";

/** Secrets of utilities and islands that one session holds opened. */
const MAX_KEPT = 512;

/**
 * One session with a token, and the handles found in it.
 *
 * A handle means something in its session only: `renew` opens another and forgets them all, so that none outlives what
 * it named. Keys are found by their id (a label where they have none of ours) and class, and there must be exactly one.
 */
export class TokenSession {
  readonly cryptoki: Cryptoki;
  readonly #label: string;
  readonly #keys = new Map<string, Handle>();
  readonly #kept = new Map<string, Handle>();
  #session: Handle | undefined;

  constructor(cryptoki: Cryptoki, label: string) {
    this.cryptoki = cryptoki;
    this.#label = label;
  }

  /** The session's handle; opened at first use. */
  get handle(): Handle {
    const { library, ck } = this.cryptoki;
    this.#session ??= library.C_OpenSession(this.slot, ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION);
    return this.#session;
  }

  get slot(): Handle {
    return findSlot(this.cryptoki, this.#label);
  }

  /** Gives the session up, whatever state it is in: a failed call may have left an operation active in it. */
  renew(): void {
    this.#keys.clear();
    this.#kept.clear();
    const former = this.#session;
    this.#session = undefined;
    if (former === undefined) return;
    try {
      this.cryptoki.library.C_CloseSession(former);
    } catch {
      // It is gone already, which is why another is wanted.
    }
  }

  /** A key of the token by its label and class (CKO). @throws HsmError `hsm-key-missing`, also where two have the label */
  key(label: string, objectClass: number): Handle {
    const name = `${objectClass}/${label}`;
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const all = this.find(label, objectClass);
    if (all.length !== 1)
      throw new HsmError(
        "hsm-key-missing",
        `${all.length} keys labelled ${label} in token ${this.#label}, one belongs there`,
      );
    this.#keys.set(name, all[0]!);
    return all[0]!;
  }

  /**
   * Objects of the token with this name and class, two at most: none, the one, or too many. A key of ours is known by its
   * CKA_ID, since labels can be given twice; one that was brought in has a label alone.
   */
  find(label: string, objectClass: number): Handle[] {
    const { ck } = this.cryptoki;
    const ours = this.#search(objectClass, { type: ck.CKA_ID, value: keyId(label) });
    return ours.length > 0 ? ours : this.#search(objectClass, { type: ck.CKA_LABEL, value: label });
  }

  #search(objectClass: number, name: Template[number]): Handle[] {
    const { library, ck } = this.cryptoki;
    library.C_FindObjectsInit(this.handle, [
      name,
      { type: ck.CKA_CLASS, value: objectClass },
      { type: ck.CKA_TOKEN, value: true },
    ]);
    try {
      return library.C_FindObjects(this.handle, 2);
    } finally {
      library.C_FindObjectsFinal(this.handle);
    }
  }

  /** Whether an object is one that is kept: what was just made is none. */
  keeps(handle: Handle): boolean {
    return [...this.#kept.values()].some((kept) => kept.equals(handle));
  }

  /** An object of this session under a name of the caller's, made where it is not there; the oldest goes beyond `MAX_KEPT`. */
  keep(name: string, make: () => Handle): Handle {
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    const made = make();
    this.#kept.set(name, made);
    if (this.#kept.size > MAX_KEPT) {
      const [oldest] = this.#kept as unknown as [[string, Handle]];
      this.#kept.delete(oldest[0]);
      this.cryptoki.library.C_DestroyObject(this.handle, oldest[1]);
    }
    return made;
  }
}
