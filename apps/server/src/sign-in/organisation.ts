import type { Challenges } from "@meterkeep/headend";
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientSecretPost,
  type Configuration,
  calculatePKCECodeChallenge,
  discovery,
  enableNonRepudiationChecks,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from "openid-client";

/** The organisation's OpenID Connect provider, and who we are to it. */
export interface OrganisationSettings {
  /** As people call it. */
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  /** Absent for a public client, which PKCE alone protects. */
  readonly clientSecret?: string | undefined;
}

/** A sign-in that has begun: where the browser goes, and what it has to bring back besides. */
export interface BegunSignIn {
  readonly address: string;
  /** Kept in a cookie: an answer that comes to another browser is nobody's. */
  readonly id: string;
}

/** What only we know of a sign-in that has begun. */
interface Expected {
  readonly verifier: string;
  readonly state: string;
  readonly nonce: string;
}

/** The page of the console to which the provider sends people back. */
export const ORGANISATION_PAGE = "/sign-in/organisation";

const TIMEOUT_SECONDS = 10;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Signs people in with their organisation's provider (OpenID Connect Core 1.0, authorisation code flow with PKCE, state and
 * nonce). The ID token's signature is verified although it comes from the provider itself: a provider behind a proxy that
 * somebody else runs is no exception. It says who somebody is; what they may do is ours.
 */
export class Organisation {
  readonly name: string;
  readonly #settings: OrganisationSettings;
  readonly #challenges: Challenges;
  readonly #address: () => string;
  #found: Promise<Configuration> | undefined;

  constructor(settings: OrganisationSettings, challenges: Challenges, address: () => string) {
    this.name = settings.name;
    this.#settings = settings;
    this.#challenges = challenges;
    this.#address = address;
  }

  async begin(): Promise<BegunSignIn> {
    const provider = await this.#provider();
    const expected: Expected = { verifier: randomPKCECodeVerifier(), state: randomState(), nonce: randomNonce() };
    const { state, nonce } = expected;
    const address = buildAuthorizationUrl(provider, {
      redirect_uri: this.#returnAddress(),
      scope: "openid",
      code_challenge: await calculatePKCECodeChallenge(expected.verifier),
      code_challenge_method: "S256",
      state,
      nonce,
    });
    return { address: address.href, id: await this.#challenges.keep("organisation", JSON.stringify(expected)) };
  }

  /**
   * Redeems what the provider answered. Gives the `sub` of who signed in; undefined where the answer is not one to what this
   * browser began. @throws what `openid-client` throws where the provider's answer is not sound.
   */
  async finish(id: string, answer: string): Promise<string | undefined> {
    const kept = await this.#challenges.take("organisation", id);
    if (kept === undefined) return undefined;
    const { verifier, state, nonce } = JSON.parse(kept) as Expected;
    const returned = new URL(this.#returnAddress());
    returned.search = answer;
    const tokens = await authorizationCodeGrant(await this.#provider(), returned, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    return tokens.claims()?.sub;
  }

  /** The provider as it describes itself; asked again after it did not answer. */
  #provider(): Promise<Configuration> {
    this.#found ??= this.#discover().catch((error: unknown) => {
      this.#found = undefined;
      throw error;
    });
    return this.#found;
  }

  #discover(): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.#settings;
    const address = new URL(issuer);
    // Nobody listens in on this machine; over a network a provider without TLS is whoever answers first.
    const execute = LOOPBACK.has(address.hostname)
      ? [enableNonRepudiationChecks, allowInsecureRequests]
      : [enableNonRepudiationChecks];
    return discovery(
      address,
      clientId,
      undefined,
      clientSecret === undefined ? None() : ClientSecretPost(clientSecret),
      { execute, timeout: TIMEOUT_SECONDS },
    );
  }

  #returnAddress(): string {
    return this.#address() + ORGANISATION_PAGE;
  }
}
