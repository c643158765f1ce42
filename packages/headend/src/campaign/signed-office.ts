import { createPublicKey, randomBytes, verify } from "node:crypto";

/** Asks an office a question; undefined where it has no such page. @throws where there is no answer that can be believed */
export type AskOffice = (path: string, body?: unknown) => Promise<unknown>;

const PATIENCE_MILLISECONDS = 5_000;
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * An office of the utility over HTTP: billing, weather. Each question has a header `x-nonce`, 32 digits of hex that were never
 * asked with before; each answer is JSON with a signature over the nonce, a line end and its octets (header `x-signature`,
 * ECDSA P-256 with SHA-256, r and s, base64). Who stands on the line can be silent, and nothing else: neither say something
 * else nor what was true last week.
 */
export function signedOffice(name: string, address: string, publicKeyPem: string): AskOffice {
  const key = createPublicKey(publicKeyPem);
  return async (path, body) => {
    const nonce = randomBytes(16).toString("hex");
    const response = await fetch(new URL(path, address), {
      method: body === undefined ? "GET" : "POST",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
      headers: { "x-nonce": nonce, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`the ${name} answers ${response.status}`);
    const octets = await octetsOf(response);
    const signature = Buffer.from(response.headers.get("x-signature") ?? "", "base64");
    const signed = Buffer.concat([Buffer.from(`${nonce}\n`), octets]);
    if (!verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, signature))
      throw new Error(`the answer is not one of the ${name} to this question`);
    return JSON.parse(octets.toString("utf8"));
  };
}

async function octetsOf({ body }: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A moment that an answer names, in milliseconds since 1970 UTC. @throws Error naming the field */
export function timeAt(fields: Readonly<Record<string, unknown>>, name: string): number {
  const { [name]: text } = fields;
  const at = typeof text === "string" ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new Error(`${name} is no time`);
  return at;
}
