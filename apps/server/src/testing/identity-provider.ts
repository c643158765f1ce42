import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** What a provider that is not to be trusted does differently. */
export interface Misdeeds {
  /** Claims of the ID token, instead of the right ones. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Signs with a key that it does not publish. */
  readonly foreignKey?: boolean;
  /** Signs nothing at all. */
  readonly unsigned?: boolean;
}

/** An OpenID Connect provider on a real port, which signs in whom it is told to: authorisation code flow with PKCE, ES256. */
export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string;
  /** Who sits before the browser. */
  subject: string;
  misdeeds: Misdeeds;
}

interface Granted {
  readonly subject: string;
  readonly nonce: string;
  readonly challenge: string;
  readonly redirect: string;
}

const CLIENT = "meterkeep";

export async function startIdentityProvider(secret?: string): Promise<IdentityProvider> {
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const foreign = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const codes = new Map<string, Granted>();
  let issuer = "";
  const provider = { subject: "somebody", misdeeds: {} as Misdeeds };

  const redeem = async (request: IncomingMessage): Promise<unknown> => {
    const asked = new URLSearchParams(await textOf(request));
    const granted = codes.get(asked.get("code") ?? "");
    codes.delete(asked.get("code") ?? "");
    const challenge = createHash("sha256")
      .update(asked.get("code_verifier") ?? "")
      .digest("base64url");
    const isSound =
      granted !== undefined &&
      granted.challenge === challenge &&
      granted.redirect === asked.get("redirect_uri") &&
      asked.get("client_id") === CLIENT &&
      (secret === undefined || asked.get("client_secret") === secret);
    if (!isSound) return undefined;
    const now = Math.floor(Date.now() / 1000);
    const { claims, foreignKey, unsigned } = provider.misdeeds;
    const right = { iss: issuer, aud: CLIENT, sub: granted.subject, nonce: granted.nonce, iat: now, exp: now + 60 };
    const idToken = token({ ...right, ...claims }, foreignKey === true ? foreign.privateKey : key.privateKey, unsigned);
    return { access_token: "opaque", token_type: "Bearer", id_token: idToken };
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", issuer);
    const json = (status: number, body: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (url.pathname === "/.well-known/openid-configuration")
      json(200, {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["ES256"],
        code_challenge_methods_supported: ["S256"],
      });
    else if (url.pathname === "/keys")
      json(200, { keys: [{ ...key.publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "ES256" }] });
    else if (url.pathname === "/authorize") {
      const asked = (name: string): string => url.searchParams.get(name) ?? "";
      const code = randomBytes(16).toString("hex");
      codes.set(code, {
        subject: provider.subject,
        nonce: asked("nonce"),
        challenge: asked("code_challenge"),
        redirect: asked("redirect_uri"),
      });
      const back = new URL(asked("redirect_uri"));
      back.searchParams.set("code", code);
      back.searchParams.set("state", asked("state"));
      response.writeHead(302, { location: back.href }).end();
    } else if (url.pathname === "/token")
      void redeem(request).then((granted) =>
        granted === undefined ? json(400, { error: "invalid_grant" }) : json(200, granted),
      );
    else json(404, {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(provider, {
    issuer,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

/** A JSON Web Token (RFC 7515, 7519). */
function token(claims: unknown, key: KeyObject, unsigned = false): string {
  const header = unsigned ? { alg: "none" } : { alg: "ES256", kid: "one" };
  const body = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  if (unsigned) return `${body}.`;
  const signature = sign("sha256", Buffer.from(body), { key, dsaEncoding: "ieee-p1363" });
  return `${body}.${signature.toString("base64url")}`;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
