import { CallRefusal } from "../calls/call-refusal.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { CustodianService } from "../service/service.ts";
import type { Committer } from "../store/committer.ts";
import type { CustodyStore } from "../store/store.ts";
import type { OpenedVault } from "./open-vault.ts";

/** The methods about what opens the vault. */
type VaultMethods = Pick<CustodianService, "noteRootKeyCopy" | "retryPin">;

/** What they are done with. */
export interface VaultServiceDependencies {
  readonly opened: Pick<OpenedVault, "rootId" | "rootKey" | "retryPin">;
  readonly ledger: Pick<CustodyStore["ledger"], "ofKinds">;
  readonly committer: Pick<Committer, "submit">;
  readonly now: () => number;
}

/** Kind of the entry by which somebody says that a copy of the root key is kept. */
const COPIED = "root-key-copied";

/** What people do about what opens the vault while it runs, and whether a copy of it is kept as far as anybody has said. */
export class VaultService implements VaultMethods {
  readonly #dependencies: VaultServiceDependencies;
  #isCopied: boolean;

  private constructor(dependencies: VaultServiceDependencies, isCopied: boolean) {
    this.#dependencies = dependencies;
    this.#isCopied = isCopied;
  }

  static async open(dependencies: VaultServiceDependencies): Promise<VaultService> {
    const root = rootOf(dependencies.opened);
    const isCopied = (await dependencies.ledger.ofKinds([COPIED])).some(
      ({ body }) => (JSON.parse(body) as { readonly root: string }).root === root,
    );
    return new VaultService(dependencies, isCopied);
  }

  /** Whether somebody has said so of the present root key; of another one, after a rewrap, it is asked anew. */
  get isRootKeyCopied(): boolean {
    return this.#isCopied;
  }

  noteRootKeyCopy: VaultMethods["noteRootKeyCopy"] = async ({ where }, caller) => {
    const { opened, committer, now } = this.#dependencies;
    const body = { root: rootOf(opened), where };
    await committer.submit({ entries: [installationEntry(now(), COPIED, caller.name, body)] });
    this.#isCopied = true;
    return {};
  };

  /** @throws CallRefusal `request-malformed` where the vault has no such token */
  retryPin: VaultMethods["retryPin"] = async ({ token, allowsLastTry }, caller) => {
    const { opened, committer, now } = this.#dependencies;
    const latched = opened.retryPin?.(token, allowsLastTry);
    if (latched === undefined) throw new CallRefusal("request-malformed", `the vault has no token labelled ${token}`);
    if (latched === "not-latched") return { answer: latched };
    const say = (kind: string, body: object) =>
      committer.submit({ entries: [installationEntry(now(), kind, caller.name, { token, ...body })] });
    // A token counts wrong PINs and locks for good: whoever lets one be tried is named before it is.
    await say("token-pin-retried", { allowsLastTry });
    const answer = await latched();
    await say("token-pin-answered", { answer });
    return { answer };
  };
}

function rootOf({ rootId, rootKey }: VaultServiceDependencies["opened"]): string {
  return rootId ?? rootKey;
}
