import { CustodyError } from "../../errors.ts";
import type { VaultSecret, VaultSecretRecords } from "../../store/store.ts";
import type { TokenSet } from "./token-set.ts";

/** The vault's secrets as they are used: read once for each utility and island, made at first use. */
export class VaultSecrets {
  readonly #tokens: TokenSet;
  readonly #records: VaultSecretRecords;
  readonly #known = new Map<string, Promise<readonly VaultSecret[]>>();

  constructor(tokens: TokenSet, records: VaultSecretRecords) {
    this.#tokens = tokens;
    this.#records = records;
  }

  /** The newest version; made when there is none. */
  async current(utility: string, island: string): Promise<VaultSecret> {
    const found = await this.#versions(utility, island);
    if (found.length > 0) return found.at(-1)!;
    this.#known.delete(nameOf(utility, island));
    const made = await this.#tokens.make({ utility, island, version: 1 });
    // Two places with one secret: a token gave what it had for what it was to make.
    if ((await this.#records.all()).some(({ checkValue }) => Buffer.from(checkValue).equals(made.checkValue)))
      throw new CustodyError("vault-unavailable", "a token made a secret that the vault has already");
    const stored = await this.#records.insert(made);
    this.#known.delete(nameOf(utility, island));
    return stored;
  }

  /** Takes a secret from outside under a name that has none. */
  async take(utility: string, island: string, octets: Uint8Array): Promise<void> {
    if ((await this.#versions(utility, island)).length > 0) return;
    await this.#records.insert(await this.#tokens.make({ utility, island, version: 1 }, octets));
    this.#known.delete(nameOf(utility, island));
  }

  /** Overwrites every copy of a secret; what memory has of it is void. */
  async destroy(utility: string, island: string, version: number): Promise<void> {
    await this.#records.destroy({ utility, island, version });
    this.#known.delete(nameOf(utility, island));
  }

  async version(utility: string, island: string, version: number): Promise<VaultSecret | undefined> {
    return (await this.#versions(utility, island)).find((secret) => secret.version === version);
  }

  /** Gives every token every secret that it lacks or cannot open, as far as tokens answer; says how many copies were made and how many are missing still. */
  async catchUp(): Promise<{ readonly made: number; readonly missing: number }> {
    let made = 0;
    let missing = 0;
    for (const secret of await this.#records.all()) {
      const { copies, replaced, missing: left } = await this.#tokens.missingCopies(secret, true);
      made += copies.size + replaced.size;
      missing += left;
      if (copies.size + replaced.size === 0) continue;
      if (copies.size > 0) await this.#records.addCopies({ ...secret, copies });
      if (replaced.size > 0) await this.#records.replaceCopies({ ...secret, copies: replaced });
      this.#known.delete(nameOf(secret.utility, secret.island));
    }
    return { made, missing };
  }

  #versions(utility: string, island: string): Promise<readonly VaultSecret[]> {
    const name = nameOf(utility, island);
    let known = this.#known.get(name);
    if (known === undefined) {
      known = this.#records.find(utility, island);
      this.#known.set(name, known);
      // A failure, or a place that has no secret yet, is not remembered.
      known.then(
        (found) => found.length === 0 && this.#known.delete(name),
        () => this.#known.delete(name),
      );
    }
    return known;
  }
}

function nameOf(utility: string, island: string): string {
  return JSON.stringify([utility, island]);
}
