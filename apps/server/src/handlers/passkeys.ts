import type { Passkey } from "@meterkeep/api";
import type { Login, PasskeyRecord } from "@meterkeep/headend";
import {
  type AuthenticationResponseJSON,
  type AuthenticatorTransport,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from "@simplewebauthn/server";
import type { FastifyRequest } from "fastify";
import { loginOf, SESSION_COOKIE, STEP_UP_MILLISECONDS } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";
import { admit, meOf } from "./sign-in.ts";

const RELYING_PARTY = "Meterkeep";
/** EdDSA, ES256 and RS256. Named here, since the library otherwise asks the runtime about ML-DSA, which Node warns of as experimental. */
const KEY_ALGORITHMS = [-8, -7, -257];

/** Whoever came by a link or by their organisation makes the first passkey within this time, and needs one for the next. */
const FIRST_PASSKEY_MILLISECONDS = 3_600_000;

type PasskeyRoutes =
  | "listPasskeys"
  | "passkeyOptions"
  | "createPasskey"
  | "passkeySignInOptions"
  | "passkeySignIn"
  | "stepUpOptions"
  | "stepUp";

/**
 * Passkeys: public-key logins that a browser or a security key holds. The relying party is the host name of the
 * console's address, hence `localhost` and never an IP address, which WebAuthn refuses.
 */
export function passkeyHandlers(context: Context): Pick<Handlers, PasskeyRoutes> {
  const { passkeys, challenges } = context;
  // Asked each time: the port is known once the server listens.
  const party = () => {
    const { hostname, origin } = new URL(context.config.url);
    return { rpID: hostname, expectedOrigin: origin, expectedRPID: hostname };
  };
  /** The passkey that has just answered a challenge. */
  const shown = async (written: Record<string, unknown>, expectedChallenge: string): Promise<PasskeyRecord> => {
    const response = written as unknown as AuthenticationResponseJSON;
    const known = typeof response.id === "string" ? await passkeys.byCredential(response.id) : undefined;
    if (known === undefined) throw refused();
    const verified = await refusing(() =>
      verifyAuthenticationResponse({
        response,
        expectedChallenge,
        ...party(),
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
    return known;
  };
  return {
    listPasskeys: async ({ request }) => ({
      passkeys: (await passkeys.ofPerson(loginOf(request).id)).map(passkeyOf),
    }),
    passkeyOptions: async ({ request }) => {
      const login = loginOf(request);
      const known = await passkeys.ofPerson(login.id);
      refuseUnproven(context, login, known.length);
      const options = await generateRegistrationOptions({
        rpName: RELYING_PARTY,
        rpID: party().rpID,
        userName: login.name,
        userID: new TextEncoder().encode(login.id),
        attestationType: "none",
        supportedAlgorithmIDs: KEY_ALGORITHMS,
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        excludeCredentials: known.map(({ credentialId }) => ({ id: credentialId })),
      });
      return { challengeId: await challenges.keep("enrol", options.challenge, login.id), options: { ...options } };
    },
    createPasskey: async ({ body, request }) => {
      const login = loginOf(request);
      refuseUnproven(context, login, (await passkeys.ofPerson(login.id)).length);
      const expectedChallenge = await takeChallenge(context, "enrol", body.challengeId, login.id);
      const verified = await refusing(() =>
        verifyRegistrationResponse({
          response: body.response as unknown as RegistrationResponseJSON,
          expectedChallenge,
          ...party(),
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
      const options = await generateAuthenticationOptions({ rpID: party().rpID, userVerification: "required" });
      return { challengeId: await challenges.keep("sign-in", options.challenge), options: { ...options } };
    },
    passkeySignIn: async ({ body, reply }) => {
      const known = await shown(body.response, await takeChallenge(context, "sign-in", body.challengeId));
      const opened = await context.logins.openByPasskey(known.person);
      await record(context, "signed-in", opened.login.name, { person: known.person, by: "passkey" });
      return admit(context, opened, reply);
    },
    stepUpOptions: async ({ request }) => {
      const { id } = loginOf(request);
      const known = await passkeys.ofPerson(id);
      if (known.length === 0)
        throw new ProblemError("step-up-required", "you have no passkey yet: add one in your account first");
      const options = await generateAuthenticationOptions({
        rpID: party().rpID,
        userVerification: "required",
        allowCredentials: known.map(({ credentialId }) => ({ id: credentialId })),
      });
      return { challengeId: await challenges.keep("step-up", options.challenge, id), options: { ...options } };
    },
    stepUp: async ({ body, request }) => {
      const { id, name } = loginOf(request);
      const known = await shown(body.response, await takeChallenge(context, "step-up", body.challengeId, id));
      if (known.person !== id) throw refused();
      await record(context, "stepped-up", name, { person: id, passkey: known.id });
      const login = await context.logins.proven(cookieOf(request));
      if (login === undefined) throw refused();
      return meOf(context, login);
    },
  };
}

function cookieOf(request: FastifyRequest): string {
  return request.cookies[SESSION_COOKIE] ?? "";
}

/** A stolen session must not give itself a passkey: the first comes soon after the sign-in, any other after one was shown. */
function refuseUnproven({ now }: Context, { signedInAt, provenAt }: Login, known: number): void {
  const since = known === 0 ? signedInAt : provenAt;
  const within = known === 0 ? FIRST_PASSKEY_MILLISECONDS : STEP_UP_MILLISECONDS;
  if (since !== undefined && now() - since.getTime() <= within) return;
  throw known === 0
    ? new ProblemError("not-allowed", "the first passkey is made within an hour of signing in: sign in anew")
    : new ProblemError("step-up-required", "show a passkey that you have; then add another");
}

async function takeChallenge(
  context: Context,
  purpose: "sign-in" | "enrol" | "step-up",
  id: string,
  person?: string,
): Promise<string> {
  const challenge = await context.challenges.take(purpose, id, person);
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
