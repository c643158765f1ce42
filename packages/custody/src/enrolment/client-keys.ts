import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { SECURITY_SUITES } from "@meterkeep/dlms";
import { publicKeyOctets, SecretKey } from "@meterkeep/dlms-node";
import type { MeterPlace } from "../store/records.ts";
import type { InstallationRecords } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { ASSOCIATION_USES, type AssociationUse } from "./journal.ts";

type Place = Pick<MeterPlace, "utility" | "island">;

/** A key pair of ours as a client of meters. */
export interface ClientPair {
  readonly privateKey: KeyObject;
  /** x and y. */
  readonly publicKey: Uint8Array;
}

export type ClientPairs = Readonly<Record<AssociationUse, ClientPair>>;

/**
 * Our own key pairs towards meters, in each suite: made at first use and sealed into the vault. They sign and agree inside
 * this process alone, in associations that this process has built.
 *
 * A utility begins with one pair for each use. Where the certificate of one was revoked in an island, that island has
 * pairs of its own from then on, by number: what was lost in one island changes nothing in another.
 */
export class ClientKeys {
  readonly #vault: Pick<Vault, "sealNamed" | "unsealNamed">;
  readonly #installation: Pick<InstallationRecords, "namedSecret" | "insertNamedSecret">;
  readonly #open = new Map<string, Promise<ClientPairs>>();

  constructor(
    vault: Pick<Vault, "sealNamed" | "unsealNamed">,
    installation: Pick<InstallationRecords, "namedSecret" | "insertNamedSecret">,
  ) {
    this.#vault = vault;
    this.#installation = installation;
  }

  /** The pairs for an island's meters of a suite. */
  pairs(place: Place, suite: 1 | 2): Promise<ClientPairs> {
    return this.#kept(place, suite, async () => this.#load(place, suite, await this.#number(place, suite)));
  }

  /** New pairs for an island's meters of a suite: the certificates of those before were revoked. */
  renew(place: Place, suite: 1 | 2): Promise<ClientPairs> {
    this.#open.delete(keptName(place, suite));
    return this.#kept(place, suite, async () => this.#load(place, suite, (await this.#number(place, suite)) + 1));
  }

  #kept(place: Place, suite: 1 | 2, load: () => Promise<ClientPairs>): Promise<ClientPairs> {
    const name = keptName(place, suite);
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const open = load();
    this.#open.set(name, open);
    open.catch(() => this.#open.delete(name));
    return open;
  }

  /** The newest pairs that an island has. */
  async #number(place: Place, suite: 1 | 2): Promise<number> {
    const [first] = ASSOCIATION_USES;
    let number = 1;
    while ((await this.#installation.namedSecret(secretName(place, suite, first, number + 1))) !== undefined)
      number += 1;
    return number;
  }

  async #load(place: Place, suite: 1 | 2, number: number): Promise<ClientPairs> {
    const pairs = await Promise.all(
      ASSOCIATION_USES.map((use) => this.#pair(secretName(place, suite, use, number), suite)),
    );
    return Object.fromEntries(ASSOCIATION_USES.map((use, at) => [use, pairs[at]])) as unknown as ClientPairs;
  }

  async #pair(name: string, suite: 1 | 2): Promise<ClientPair> {
    const stored =
      (await this.#installation.namedSecret(name)) ??
      (await this.#installation.insertNamedSecret(name, await this.#fresh(name, suite)));
    using secret = await this.#vault.unsealNamed(name, stored);
    const privateKey = secret.lend((octets) =>
      createPrivateKey({ key: Buffer.from(octets), format: "der", type: "pkcs8" }),
    );
    return { privateKey, publicKey: publicKeyOctets(privateKey) };
  }

  async #fresh(name: string, suite: 1 | 2): Promise<Uint8Array> {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: SECURITY_SUITES[suite].curve });
    using secret = SecretKey.take(privateKey.export({ format: "der", type: "pkcs8" }));
    return await this.#vault.sealNamed(name, secret);
  }
}

function keptName({ utility, island }: Place, suite: 1 | 2): string {
  return JSON.stringify([utility, island, suite]);
}

function secretName({ utility, island }: Place, suite: 1 | 2, use: AssociationUse, number: number): string {
  const owner = number === 1 ? utility : `${utility}/${island}`;
  return `client-key-${number}/${suite}/${use}/${owner}`;
}
