import type { Passkey } from "@meterkeep/api";
import type { PasskeyRecord } from "@meterkeep/headend";
import {
  type AuthenticationResponseJSON,
  type AuthenticatorTransport,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from "@simplewebauthn/server";
import { loginOf } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";
import { admit } from "./people.ts";
import { record } from "./record.ts";

const RELYING_PARTY = "Meterkeep";
/** EdDSA, ES256 and RS256. Named here, since the library otherwise asks the runtime about ML-DSA, which Node warns of as experimental. */
const KEY_ALGORITHMS = [-8, -7, -257];

/**
 * Passkeys: public-key logins that a browser or a security key holds. The relying party is the host name of the
 * console's address, hence `localhost` and never an IP address, which WebAuthn refuses.
 */
export function passkeyHandlers(
  context: Context,
): Pick<Handlers, "listPasskeys" | "passkeyOptions" | "createPasskey" | "passkeySignInOptions" | "passkeySignIn"> {
  const { passkeys } = context;
  const address = new URL(context.config.url);
  const rpID = address.hostname;
  const expectedOrigin = address.origin;
  return {
    listPasskeys: async ({ request }) => ({
      passkeys: (await passkeys.ofPerson(loginOf(request).id)).map(passkeyOf),
    }),
    passkeyOptions: async ({ request }) => {
      const login = loginOf(request);
      const known = await passkeys.ofPerson(login.id);
      const options = await generateRegistrationOptions({
        rpName: RELYING_PARTY,
        rpID,
        userName: login.name,
        userID: new TextEncoder().encode(login.id),
        attestationType: "none",
        supportedAlgorithmIDs: KEY_ALGORITHMS,
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        excludeCredentials: known.map(({ credentialId }) => ({ id: credentialId })),
      });
      return { challengeId: await passkeys.keepChallenge(options.challenge, login.id), options: { ...options } };
    },
    createPasskey: async ({ body, request }) => {
      const login = loginOf(request);
      const expectedChallenge = await takeChallenge(context, body.challengeId, login.id);
      const verified = await refusing(() =>
        verifyRegistrationResponse({
          response: body.response as unknown as RegistrationResponseJSON,
          expectedChallenge,
          expectedOrigin,
          expectedRPID: rpID,
          requireUserVerification: true,
          supportedAlgorithmIDs: KEY_ALGORITHMS,
        }),
      );
      if (!verified.verified) throw refused();
      const { credential } = verified.registrationInfo;
      await record(context, "passkey-added", login.name, { credential: credential.id });
      const added = await passkeys.add({
        person: login.id,
        credentialId: credential.id,
        publicKey: credential.publicKey,
        signCount: credential.counter,
        transports: credential.transports ?? [],
        name: body.name ?? "Passkey",
      });
      return passkeyOf(added);
    },
    passkeySignInOptions: async () => {
      const options = await generateAuthenticationOptions({ rpID, userVerification: "required" });
      return { challengeId: await passkeys.keepChallenge(options.challenge, undefined), options: { ...options } };
    },
    passkeySignIn: async ({ body, reply }) => {
      const expectedChallenge = await takeChallenge(context, body.challengeId, undefined);
      const response = body.response as unknown as AuthenticationResponseJSON;
      const known = typeof response.id === "string" ? await passkeys.byCredential(response.id) : undefined;
      if (known === undefined) throw refused();
      const verified = await refusing(() =>
        verifyAuthenticationResponse({
          response,
          expectedChallenge,
          expectedOrigin,
          expectedRPID: rpID,
          requireUserVerification: true,
          credential: {
            id: known.credentialId,
            publicKey: Uint8Array.from(known.publicKey),
            counter: known.signCount,
            transports: [...known.transports] as AuthenticatorTransport[],
          },
        }),
      );
      if (!verified.verified) throw refused();
      await passkeys.used(known.id, verified.authenticationInfo.newCounter);
      const opened = await context.people.openSession(known.person);
      await record(context, "signed-in", opened.login.name, { person: known.person, by: "passkey" });
      return admit(context, opened, reply);
    },
  };
}

async function takeChallenge(context: Context, id: string, person: string | undefined): Promise<string> {
  const challenge = await context.passkeys.takeChallenge(id, person);
  if (challenge === undefined) throw refused();
  return challenge;
}

/** Whatever was wrong with a response, the caller learns that it was refused, and no more. */
async function refusing<T>(verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (cause) {
    throw refused(cause);
  }
}

function refused(cause?: unknown): ProblemError {
  return new ProblemError("sign-in-refused", "this passkey response was not accepted; begin anew", { cause });
}

function passkeyOf(passkey: PasskeyRecord): Passkey {
  return {
    id: passkey.id,
    name: passkey.name,
    createdAt: passkey.createdAt.toISOString(),
    ...(passkey.lastUsedAt === undefined ? {} : { lastUsedAt: passkey.lastUsedAt.toISOString() }),
  };
}
