import { createHash, createPublicKey, verify } from "node:crypto";
import type { Curve } from "@meterkeep/dlms";
import {
  type AgreementPair,
  ENCRYPTION_KEYS_PURPOSE,
  type GcmRequest,
  HsmError,
  type Token,
  type WrappedEncryptionKey,
  type WrappedSecret,
} from "@meterkeep/hsm";
import { isSignedBy, type PublicKey, signatureOf } from "@meterkeep/pki";
import { CustodyError } from "../../errors.ts";
import type { VaultSecret } from "../../store/store.ts";

const WRAPPING_KEY = "meterkeep-wrapping-1";
const TRANSPORT_KEY = "meterkeep-transport-1";
/** With several tokens a secret is used only once two can open it: one of them may be lost the next moment. */
const MIN_COPIES = 2;

/** A copy of which a token says this is no copy: another secret, or a key that is gone from it. */
const DEAD: ReadonlySet<string> = new Set(["hsm-key-wrong", "hsm-key-missing"]);

/** What was made for tokens that lacked a secret. */
export interface MissingCopies {
  readonly copies: ReadonlyMap<string, WrappedSecret>;
  /** In the place of copies that were dead. */
  readonly replaced: ReadonlyMap<string, WrappedSecret>;
  readonly missing: number;
}

/** What happened to a token, for the ledger and for people. */
export interface TokenIncident {
  readonly token: string;
  readonly error: HsmError;
}

/** Tries the PIN once more and says what came of it; or why there is nothing to try. */
export type PinRetry = "not-latched" | (() => Promise<"opened" | "refused" | "unreachable" | "last-try">);

/** Tokens that sign with key pairs of their own, P-384: private keys that never leave them. */
export interface SigningTokens {
  /** The public keys under a label, SPKI DER, of every token that answers; made where there are none. */
  publicKeys(label: string): Promise<Uint8Array[]>;
  /** ECDSA with SHA-384 by one of the keys: r and s, and whose they are. @throws CustodyError `vault-unavailable`. */
  sign(
    label: string,
    keys: readonly Uint8Array[],
    text: Uint8Array,
  ): Promise<{ readonly by: Uint8Array; readonly signature: Uint8Array }>;
  /** Makes a key pair in one token and no other, unless it has one of this label: x and y of its public key. */
  makeKeyPair(label: string, curve: Curve): Promise<Uint8Array>;
  /**
   * Signs with the key pair of a label whose public key is this, in whichever token it is: r and s over the hash of its
   * curve. What comes back was verified.
   *
   * @throws CustodyError `vault-unavailable`
   */
  signAlone(label: string, key: PublicKey, text: Uint8Array): Promise<Uint8Array>;
}

const SIGNING = {
  "P-256": { hash: "sha256", algorithm: "ecdsa-with-SHA256" },
  "P-384": { hash: "sha384", algorithm: "ecdsa-with-SHA384" },
} as const;

/** SubjectPublicKeyInfo of a point on P-384, up to its x. */
const P384_SPKI = Buffer.from("3076301006072a8648ce3d020106052b8104002203620004", "hex");

/**
 * The tokens of a vault, any one of which can do what is asked.
 *
 * A call goes to a token that is ready and has the secret; when that one fails it goes to the next, and the failure is
 * told to `onIncident`. Tokens that answer take turns.
 */
export class TokenSet implements SigningTokens {
  readonly #tokens: readonly Token[];
  readonly #onIncident: (incident: TokenIncident) => void;
  /** Names of tokens, each good for the process it was asked in. */
  readonly #names = new Map<Token, { readonly pid: number | undefined; readonly name: string }>();
  #turn = 0;

  constructor(tokens: readonly Token[], onIncident: (incident: TokenIncident) => void) {
    if (tokens.length === 0) throw new RangeError("a vault of tokens needs at least one");
    this.#tokens = tokens;
    this.#onIncident = onIncident;
  }

  get labels(): readonly string[] {
    return this.#tokens.map(({ label }) => label);
  }

  /**
   * Lets a token whose PIN was refused be tried once more, and with `allowsLastTry` also where it may lock at that; undefined where
   * there is no token of that label.
   */
  retryPin(label: string, allowsLastTry: boolean): PinRetry | undefined {
    const token = this.#tokens.find((one) => one.label === label);
    if (token === undefined) return undefined;
    if (token.state.kind !== "pin-refused") return "not-latched";
    return async () => {
      token.retryPin(allowsLastTry);
      try {
        await token.calls.describe();
        return "opened";
      } catch (error) {
        if (!(error instanceof HsmError)) throw error;
        if (error.code === "hsm-pin-last-try") return "last-try";
        return error.code === "hsm-pin-refused" ? "refused" : "unreachable";
      }
    };
  }

  /**
   * HMAC-SHA-256 of each text under a secret; with `isChecked` the token makes sure of the secret first.
   *
   * @throws CustodyError `vault-unavailable` when no token can
   */
  macs(secret: VaultSecret, texts: readonly Uint8Array[], isChecked = false): Promise<Uint8Array[]> {
    return this.#withSecret(secret, ({ calls }, copy) => calls.macs(copy, texts, isChecked));
  }

  /** Wraps an encryption key in one of the tokens. */
  async wrapEncryptionKey(
    secret: VaultSecret,
    key: { readonly place: Uint8Array; readonly octets: Uint8Array },
  ): Promise<WrappedEncryptionKey> {
    return (await this.#withSecret(secret, ({ calls }, copy) => calls.wrapEncryptionKeys(copy, [key])))[0]!;
  }

  /** An encryption key in clear. @throws CustodyError `vault-record-not-authentic` */
  revealEncryptionKey(secret: VaultSecret, key: WrappedEncryptionKey): Promise<Uint8Array> {
    return this.#withKeys(secret, async ({ calls }, copy) => (await calls.revealEncryptionKeys(copy, [key]))[0]!);
  }

  /** AES-GCM in one of the tokens. @throws CustodyError `vault-record-not-authentic` for a key that is none */
  gcm(secret: VaultSecret, requests: readonly GcmRequest[]): Promise<(Uint8Array | undefined)[]> {
    return this.#withKeys(secret, ({ calls }, copy) => calls.gcm(copy, requests));
  }

  /** A wrapped key that does not belong where it stands is no failure of a token; two answers in a row make it so. */
  async #withKeys<T>(secret: VaultSecret, ask: (token: Token, copy: WrappedSecret) => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const answer = await this.#withSecret(secret, (token, copy) =>
        ask(token, copy).then(
          (value) => ({ value }),
          (error: unknown) => {
            if (error instanceof HsmError && error.code === "hsm-key-wrong") return undefined;
            throw error;
          },
        ),
      );
      if (answer !== undefined) return answer.value;
    }
    throw new CustodyError("vault-record-not-authentic", "a sealed record does not open in the place where it stands");
  }

  /**
   * Requires that every token that answers can keep encryption keys: a vector and additional data from outside, a tag of
   * 12 octets, and keys derived of a secret.
   *
   * @throws CustodyError `token-unfit`
   */
  async requireEncryptionKeys(): Promise<void> {
    for (const token of this.#tokens) {
      const trials = await token.calls.probe(ENCRYPTION_KEYS_PURPOSE).catch((error: unknown) => {
        this.#onIncident({ token: token.label, error: error as HsmError });
        return [];
      });
      const refused = trials.find((trial) => trial.refused !== undefined);
      if (refused !== undefined)
        throw new CustodyError(
          "token-unfit",
          `token ${token.label} cannot keep encryption keys: ${refused.name} gives ${refused.refused}`,
        );
    }
  }

  /**
   * Makes a pair for agreement in one token, and has the others that answer open it: they may read RFC 5649 in another way.
   *
   * @throws CustodyError `token-unfit`, `vault-unavailable`
   */
  async makeAgreementPair(secret: VaultSecret): Promise<AgreementPair> {
    const pair = await this.#withSecret(secret, ({ calls }, copy) => calls.makeAgreementPair(copy)).catch(
      (error: Error) => {
        if (!isUnfit(error.cause)) throw error;
        throw unfit(`no token of the vault makes a private key that opens shipments: ${error.cause.message}`, error);
      },
    );
    for (const token of this.#tokens) {
      try {
        const copy = secret.copies.get(await this.#nameOf(token));
        if (copy !== undefined) await token.calls.agree(copy, pair, pair.point);
      } catch (error) {
        this.#onIncident({ token: token.label, error: error as HsmError });
        if (isUnfit(error))
          throw unfit(`the private key that opens shipments does not open in every token: ${error.message}`, error);
      }
    }
    return pair;
  }

  /** Has a token open a pair and hold its halves against each other. @throws CustodyError `vault-record-not-authentic` */
  async requirePair(secret: VaultSecret, pair: AgreementPair): Promise<void> {
    (await this.#withKeys(secret, ({ calls }, copy) => calls.agree(copy, pair, pair.point))).fill(0);
  }

  /** What a pair that was opened before and a peer's point come to, 48 octets. @throws CustodyError `vault-unavailable` */
  agree(secret: VaultSecret, pair: AgreementPair, peer: Uint8Array): Promise<Uint8Array> {
    return this.#withSecret(secret, ({ calls }, copy) => calls.agree(copy, pair, peer));
  }

  /**
   * Makes a secret in one token and hands it to the others.
   *
   * @param octets the secret, where it comes from outside; otherwise the token draws it
   * @throws CustodyError `vault-unavailable` when fewer tokens than two have it in the end, where there are several
   */
  async make(place: Pick<VaultSecret, "utility" | "island" | "version">, octets?: Uint8Array): Promise<VaultSecret> {
    const { name, secret } = await this.#first(async (token) => {
      const name = await this.#nameOf(token);
      await token.calls.ensureWrappingKey(WRAPPING_KEY);
      return { name, secret: await token.calls.makeSecret(WRAPPING_KEY, octets) };
    });
    const made = { ...place, checkValue: secret.checkValue, copies: new Map([[name, secret]]) };
    const copies = new Map([...made.copies, ...(await this.missingCopies(made)).copies]);
    if (copies.size < Math.min(MIN_COPIES, this.#tokens.length))
      throw new CustodyError(
        "vault-unavailable",
        `only ${name} could take a new vault secret for ${place.utility}/${place.island}; it is not used before another token has it too`,
      );
    return { ...made, copies };
  }

  /**
   * Copies for the tokens of this set that have none, made inside the tokens; with `isChecked` also for those whose copy
   * does not open any more, or never did. `missing` tokens still lack one.
   */
  async missingCopies(secret: VaultSecret, isChecked = false): Promise<MissingCopies> {
    const copies = new Map<string, WrappedSecret>();
    const replaced = new Map<string, WrappedSecret>();
    let missing = 0;
    for (const token of this.#tokens) {
      try {
        const name = await this.#nameOf(token);
        const copy = secret.copies.get(name);
        if (copy !== undefined && !(isChecked && (await this.#isDead(token, copy)))) continue;
        const others = new Map([...secret.copies].filter(([other]) => other !== name));
        const made = await this.#copyFor(token, { ...secret, copies: others });
        (copy === undefined ? copies : replaced).set(name, made);
      } catch (error) {
        // It is caught up when it answers again.
        missing += 1;
        this.#onIncident({ token: token.label, error: error as HsmError });
      }
    }
    return { copies, replaced, missing };
  }

  /** Whether a copy does not open in its token: a token that is in trouble says nothing about it. */
  async #isDead(token: Token, copy: WrappedSecret): Promise<boolean> {
    try {
      await token.calls.checkSecret(copy);
      return false;
    } catch (error) {
      if (!(error instanceof HsmError && DEAD.has(error.code))) throw error;
      this.#onIncident({ token: token.label, error });
      return true;
    }
  }

  async #copyFor({ calls }: Token, secret: VaultSecret): Promise<WrappedSecret> {
    await calls.ensureWrappingKey(WRAPPING_KEY);
    const transport = await calls.transportKey(TRANSPORT_KEY);
    const envelope = await this.#withSecret(secret, (from, copy) => from.calls.exportSecret(copy, transport));
    return calls.importSecret(TRANSPORT_KEY, envelope, WRAPPING_KEY, secret.checkValue);
  }

  async publicKeys(label: string): Promise<Uint8Array[]> {
    const asked = await Promise.allSettled(this.#tokens.map((token) => publicKeyOf(token, label)));
    const keys = asked.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (keys.length === 0) throw new CustodyError("vault-unavailable", `no token has a key pair ${label}`);
    return keys;
  }

  sign(label: string, keys: readonly Uint8Array[], text: Uint8Array) {
    const digest = new Uint8Array(createHash("sha384").update(text).digest());
    return this.#first(async (token) => {
      const by = await publicKeyOf(token, label);
      if (!keys.some((key) => Buffer.from(key).equals(by)))
        throw new HsmError("hsm-key-missing", `${token.label} has no key that is announced as ${label}`);
      const signature = await token.calls.sign(label, "P-384", digest);
      // A wrong handle behind a right name would sign with another key.
      const key = createPublicKey({ key: Buffer.from(by), format: "der", type: "spki" });
      if (!verify("sha384", text, { key, dsaEncoding: "ieee-p1363" }, signature))
        throw new HsmError("hsm-key-wrong", `${token.label} signed with another key than ${label}`);
      return { by, signature };
    });
  }

  makeKeyPair(label: string, curve: Curve): Promise<Uint8Array> {
    return this.#first((token) => token.calls.keyPair(label, curve));
  }

  signAlone(label: string, key: PublicKey, text: Uint8Array): Promise<Uint8Array> {
    const { hash, algorithm } = SIGNING[key.curve];
    const digest = new Uint8Array(createHash(hash).update(text).digest());
    return this.#first(async (token) => {
      const signature = await token.calls.sign(label, key.curve, digest);
      if (!isSignedBy(key, algorithm, text, signatureOf(signature)))
        throw new HsmError("hsm-key-wrong", `${token.label} signed with another key than ${label}`);
      return signature;
    });
  }

  #withSecret<T>(secret: VaultSecret, ask: (token: Token, copy: WrappedSecret) => Promise<T>): Promise<T> {
    return this.#first(async (token) => {
      const name = await this.#nameOf(token);
      const copy = secret.copies.get(name);
      if (copy === undefined) throw new HsmError("hsm-key-missing", `${name} does not have this secret yet`);
      return ask(token, copy);
    });
  }

  /** What copies of this token are kept under: its label and serial number. One that was replaced has another, and no copies. */
  async #nameOf(token: Token): Promise<string> {
    const known = this.#names.get(token);
    if (known !== undefined && known.pid === token.pid) return known.name;
    const { label, serial } = await token.calls.describe();
    const name = `${label}/${serial}`;
    this.#names.set(token, { pid: token.pid, name });
    return name;
  }

  async #first<T>(ask: (token: Token) => Promise<T>): Promise<T> {
    const inTurn = this.#tokens.map((_, at) => this.#tokens[(at + this.#turn) % this.#tokens.length]!);
    this.#turn += 1;
    let last: unknown;
    for (const token of [...inTurn.filter(isReady), ...inTurn.filter((one) => !isReady(one))]) {
      try {
        return await this.#whileUp(token, () => ask(token));
      } catch (error) {
        last = error;
        this.#onIncident({ token: token.label, error: error as HsmError });
      }
    }
    const why = last instanceof Error ? last.message : String(last);
    throw new CustodyError("vault-unavailable", `no token of the vault can do this now: ${why}`, { cause: last });
  }

  /** A token whose process is gone may answer later: nobody waits for it while another one is ready. */
  async #whileUp<T>(token: Token, ask: () => Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const stop = token.onDown(() => {
      if (this.#tokens.some((other) => other !== token && isReady(other)))
        reject(new HsmError("hsm-failed", `token ${token.label} went down; another one was asked`));
    });
    try {
      return await Promise.race([ask(), promise]);
    } finally {
      stop();
    }
  }
}

async function publicKeyOf(token: Token, label: string): Promise<Uint8Array> {
  return new Uint8Array(Buffer.concat([P384_SPKI, await token.calls.keyPair(label, "P-384")]));
}

function isReady({ state }: Token): boolean {
  return state.kind === "ready";
}

/** Whether a token has said that it will never do this, or reads what another one wrote in another way. */
function isUnfit(error: unknown): error is HsmError {
  return error instanceof HsmError && (error.code === "hsm-refused" || error.code === "hsm-key-wrong");
}

function unfit(message: string, cause: unknown): CustodyError {
  return new CustodyError("token-unfit", message, { cause });
}
