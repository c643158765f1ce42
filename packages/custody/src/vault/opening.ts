import type { Rewrap } from "./rewrap.ts";
import type { RootKeySource } from "./root-key.ts";
import type { PinRetry, SigningTokens } from "./tokens/token-set.ts";
import type { Vault } from "./vault.ts";

/** An adapter's part in opening: the vault, before it is known to be the one that was founded. */
export interface Opening {
  readonly vault: Vault;
  /** What is kept in clear beside the vault, as JSON; empty for nothing. */
  readonly parameters: string;
  /** True when something new was made for it. */
  readonly created: boolean;
  readonly signing?: SigningTokens;
  /** Which root key it is, 16 hex digits; of a vault in software. */
  readonly rootId?: string;
  /** Works out a change of the root key; of a vault in software. */
  readonly rewrap?: (next: RootKeySource) => Promise<Rewrap>;
  /** Lets a token whose PIN was refused be tried again, of a vault in tokens; undefined where it has none of that label. */
  readonly retryPin?: (label: string, allowsLastTry: boolean) => PinRetry | undefined;
  tend(): Promise<void>;
  close(): Promise<void>;
}
