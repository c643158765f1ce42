import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { DlmsError } from "@meterkeep/dlms";
import { serverEnd } from "@meterkeep/dlms-node";
import { type Certificate, csrAttributesFor, encodeCertsOnly, isAgainstAuthority, PkiError } from "@meterkeep/pki";
import { Counts } from "../../calls/counts.ts";
import type { EntryBursts } from "../../evidence/entry-bursts.ts";
import { installationEntry } from "../../ledger/installation-entry.ts";
import type { Pki } from "../open-pki.ts";
import { type Basic, enrolByPassword, renewByCertificate, requestOctets } from "./enrolment.ts";
import { OwnCredential } from "./own-credential.ts";
import { EstRefusal } from "./refusal.ts";

/** Where the enrolment service listens, and under which names. */
export interface EstOptions {
  readonly pki: Pki;
  /** For refusals, which anybody can cause as often as they like. */
  readonly bursts: Pick<EntryBursts, "record">;
  /** An address of this machine. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Names and addresses that stand in its certificate. */
  readonly names: readonly string[];
  /** Where the certificate of the service comes from: this utility and island. */
  readonly place: { readonly utility: string; readonly island: string };
  readonly onFailure: (error: unknown) => void;
}

/** A listening enrolment service. */
export interface EstService {
  readonly port: number;
  /** Renews its own certificate where that is due; to be called now and then. */
  tend(): Promise<void>;
  close(): Promise<void>;
}

/** The hybrid group first; devices of today follow with the others. */
const GROUPS = "X25519MLKEM768:X25519:prime256v1:secp384r1";
/** TLS 1.2 for devices that have no other: forward secrecy and authenticated encryption only (RFC 7030 clause 3.3.1). */
const CIPHERS =
  "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
const MAX_BODY_BYTES = 16 * 1024;
const MOST_CONNECTIONS = 128;
const MOST_OF_ADDRESS = 16;
const TIMES = { handshakeTimeout: 5_000, headersTimeout: 10_000, requestTimeout: 20_000, keepAliveTimeout: 10_000 };
const PATH =
  /^\/\.well-known\/est\/(?:[\w-]{1,64}\/)?(cacerts|simpleenroll|simplereenroll|csrattrs|serverkeygen|fullcmc)$/;

/**
 * Listens for enrolment over TLS (RFC 7030): certificates of authorities, enrolment by a one-time password, renewal by
 * the certificate that the connection has proven. The private key stays with the client: no key is generated here.
 */
export async function listenForEnrolment(options: EstOptions): Promise<EstService> {
  const { pki, host, port } = options;
  const own = new OwnCredential(pki, options.place, options.names);
  // All of it each time: where `setSecureContext` is not told something, the library's default holds again.
  const context = async () => ({
    ...(await own.renew()),
    minVersion: "TLSv1.2" as const,
    ciphers: CIPHERS,
    ecdhCurve: GROUPS,
  });
  const server = createServer(
    {
      ...(await context()),
      requestCert: true,
      // Whoever has no certificate yet comes with a password; one that is shown is judged by the PKI, revocations and all.
      rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"],
      ...TIMES,
    },
    (request, response) => {
      serve(options, request, response).catch(options.onFailure);
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.maxHeadersCount = 32;
  const ofAddress = new Counts();
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    if (!ofAddress.enter(address, MOST_OF_ADDRESS)) return void socket.destroy();
    socket.once("close", () => ofAddress.leave(address));
  });
  server.on("tlsClientError", () => undefined);
  server.on("clientError", (_, socket) => socket.destroy());
  const close = serverEnd(server);
  await listening(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    tend: async () => {
      if (await own.isDue()) server.setSecureContext(await context());
    },
    close,
  };
}

async function serve(options: EstOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await route(options, request, response);
  } catch (error) {
    const [status, message] = outward(error, options);
    if (status === 401) response.setHeader("www-authenticate", 'Basic realm="enrolment", charset="UTF-8"');
    if (status !== 404) await recordRefusal(options, request, message);
    if (response.headersSent || response.destroyed) return void response.destroy();
    const text = `${message}\n`;
    // What is left of a body that was not read would be taken for the next request.
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" });
    response.end(text);
  }
}

async function route({ pki }: EstOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, operation] = PATH.exec(request.url ?? "") ?? [];
  if (operation === undefined) throw new EstRefusal(404, "EST is at /.well-known/est/");
  const isRead = operation === "cacerts" || operation === "csrattrs";
  if (request.method !== (isRead ? "GET" : "POST")) throw new EstRefusal(405, `${operation} takes another method`);
  switch (operation) {
    case "cacerts": {
      const standing: Uint8Array[] = [];
      for (const { authority, certificate } of await pki.authorities.all())
        if (await isTrusted(pki, authority)) standing.push(certificate);
      return carry(response, standing);
    }
    case "csrattrs":
      return send(response, "application/csrattrs", csrAttributesFor("P-256"));
    case "simpleenroll": {
      const basic = basicOf(request.headers.authorization);
      if (basic === undefined) throw new EstRefusal(401, "enrol with the one-time password that you were given");
      const octets = requestOctets(await bodyOf(request));
      return certified(response, await enrolByPassword(pki, basic, octets));
    }
    case "simplereenroll": {
      const shown = (request.socket as TLSSocket).getPeerX509Certificate();
      if (shown === undefined) throw new EstRefusal(403, "renewing takes the certificate that is renewed, in TLS");
      const octets = requestOctets(await bodyOf(request));
      return certified(response, await renewByCertificate(pki, new Uint8Array(shown.raw), octets));
    }
    default:
      // A key that was made elsewhere has been elsewhere.
      throw new EstRefusal(
        501,
        `${operation} is not offered: make the key where it is used, and send a request for it`,
      );
  }
}

/** Neither revoked by the one above it, nor below one that was, nor by people: nobody stands above a root. */
async function isTrusted(pki: Pki, authority: string): Promise<boolean> {
  if ((await pki.fallen(authority)) !== undefined) return false;
  const line = (await pki.authorities.lineOf(authority)).map((one) => one.authority);
  const plans = (await pki.revocations.list()).filter((one) => isAgainstAuthority(one) && one.state !== "planned");
  return !plans.some((one) => line.includes(one.authority));
}

function certified(response: ServerResponse, certificate: Certificate): void {
  carry(response, [certificate.octets], "; smime-type=certs-only");
}

function carry(response: ServerResponse, certificates: readonly Uint8Array[], parameters = ""): void {
  send(response, `application/pkcs7-mime${parameters}`, encodeCertsOnly(certificates));
}

function send(response: ServerResponse, type: string, octets: Uint8Array): void {
  const text = Buffer.from(octets).toString("base64");
  // On one line, and headers in these very letters: a client in wide use (strongSwan 5.9) reads no other (RFC 8951, 3.1).
  response.writeHead(200, {
    "Content-Type": type,
    "Content-Transfer-Encoding": "base64",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
  });
  response.end(text);
}

/** @throws EstRefusal */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/pkcs10\s*(?:;|$)/i.test(type)) throw new EstRefusal(415, "the body is application/pkcs10");
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw new EstRefusal(413, "that is too long");
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new EstRefusal(413, "that is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("latin1");
}

function basicOf(header: string | undefined): Basic | undefined {
  const [, text] = /^Basic ([A-Za-z0-9+/=]{4,512})$/i.exec(header ?? "") ?? [];
  const plain = text === undefined ? "" : Buffer.from(text, "base64").toString("utf8");
  const at = plain.indexOf(":");
  return at < 1 ? undefined : { name: plain.slice(0, at), password: plain.slice(at + 1) };
}

function outward(error: unknown, { onFailure }: EstOptions): readonly [number, string] {
  if (error instanceof EstRefusal) return [error.status, error.message];
  if (error instanceof DlmsError) return [400, "the request is no PKCS #10 request of an EC key in DER"];
  if (error instanceof PkiError) return [STATUS[error.code] ?? 400, error.message];
  onFailure(error);
  return [500, "the enrolment service could not do this; its own log says why"];
}

const STATUS: Partial<Readonly<Record<PkiError["code"], number>>> = {
  "requester-limited": 429,
  "authority-held": 403,
  "assignment-violated": 403,
};

async function recordRefusal({ bursts, pki }: EstOptions, request: IncomingMessage, message: string): Promise<void> {
  const principal = `est:${request.socket.remoteAddress ?? "unknown"}`;
  const body = { path: (request.url ?? "").slice(0, 128).replaceAll(/[^\x20-\x7e]/g, "?"), message };
  const entry = installationEntry(pki.now(), "enrolment-refused", principal, body);
  // A ledger that is halted takes nothing; the client was refused all the same.
  await bursts.record([entry]).catch(() => undefined);
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}
