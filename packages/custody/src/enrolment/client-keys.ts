import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { SECURITY_SUITES } from "@meterkeep/dlms";
import { publicKeyOctets, SecretKey } from "@meterkeep/dlms-node";
import type { InstallationRecords } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { ENROLLED_USES, type EnrolledUse } from "./journal.ts";

/** A key pair of ours as a client of meters. */
export interface ClientPair {
  readonly privateKey: KeyObject;
  /** x and y. */
  readonly publicKey: Uint8Array;
}

export type ClientPairs = Readonly<Record<EnrolledUse, ClientPair>>;

/**
 * Our own key pairs towards the meters of a utility, in each suite: made at first use and sealed into the vault. They sign
 * and agree inside this process alone, in associations that this process has built.
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

  /** The pairs for a utility's meters of a suite. */
  pairs(utility: string, suite: 1 | 2): Promise<ClientPairs> {
    const name = `${suite}/${utility}`;
    let open = this.#open.get(name);
    if (open === undefined) {
      open = this.#load(utility, suite);
      this.#open.set(name, open);
      open.catch(() => this.#open.delete(name));
    }
    return open;
  }

  async #load(utility: string, suite: 1 | 2): Promise<ClientPairs> {
    const pairs = await Promise.all(ENROLLED_USES.map((use) => this.#pair(utility, suite, use)));
    return Object.fromEntries(ENROLLED_USES.map((use, at) => [use, pairs[at]])) as unknown as ClientPairs;
  }

  async #pair(utility: string, suite: 1 | 2, use: EnrolledUse): Promise<ClientPair> {
    const name = `client-key-1/${suite}/${use}/${utility}`;
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
