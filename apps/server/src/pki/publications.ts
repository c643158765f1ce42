import type { IncomingMessage, ServerResponse } from "node:http";
import { CustodianCallError } from "@meterkeep/api/custodian";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { Context } from "../handlers/context.ts";
import { ProblemError } from "../http/problem-error.ts";
import { AnswerCache } from "./answer-cache.ts";
import { issuedPage, PAGE_STYLE } from "./issued-page.ts";

/** Everything here is for everybody: it is signed by its authority, and names no person and no device. */
export const PUBLIC_PKI_PATH = "/pki";
const OCSP_PATH = `${PUBLIC_PKI_PATH}/ocsp/`;
/** Requests of one address a minute that are not answered from what is kept: a fleet behind one address asks less. */
const ASKED_A_MINUTE = 3_000;
const open = (max: number) =>
  ({
    config: { access: "nobody-yet", rateLimit: { max, timeWindow: "1 minute" } },
    schema: { hide: true },
  }) as const;

/** Octets of published things that are kept, and how long one is given without asking the custodian again. */
const KEPT_BYTES = 32 * 1024 * 1024;
const KEPT_MILLISECONDS = 60_000;
const MOST_REQUEST_BYTES = 4096;
const PAGE_CERTIFICATES = 100;

type PublicContext = Pick<Context, "custodian" | "now">;

/** What can be answered before the framework sees it: true where it has been. */
export type AtOnce = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Publishes the PKI over HTTP: revocation lists and deltas by shard (RFC 5280), answers about certificates by GET and
 * POST (RFC 6960 appendix A, RFC 5019), certificates of authorities, and what was issued. All of it was signed by the
 * custodian ahead of the question; this process only carries it, and keeps what it carried for a minute.
 *
 * @param isOurs whether the server answers to a name, as `secure` judges it
 * @param askedAMinute requests of one address that are answered a minute; 3 000 unless said
 * @returns what answers a GET about a certificate from what is kept, at the speed of bare HTTP
 */
export function servePublications(
  app: FastifyInstance,
  { custodian, now }: PublicContext,
  isOurs: (host: string | undefined) => boolean,
  askedAMinute = ASKED_A_MINUTE,
): AtOnce {
  const limited = open(askedAMinute);
  const kept = new AnswerCache(KEPT_BYTES, now);
  const published = async (
    name: string,
    fetch: () => Promise<{ readonly octets: Uint8Array; readonly until: number } | undefined>,
  ) => {
    const known = kept.find(name);
    if (known !== undefined) return known;
    const fresh = await fetch().catch(notHere);
    if (fresh === undefined) throw new ProblemError("not-found", "nothing of that name is published");
    const { octets, until } = fresh;
    return kept.keep(name, { octets, until, keptUntil: Math.min(until, now() + KEPT_MILLISECONDS) });
  };
  const send = async (reply: FastifyReply, type: string, answer: Awaited<ReturnType<typeof published>>) => {
    const seconds = Math.max(0, Math.floor((answer.until - now()) / 1000));
    return reply
      .type(type)
      .header("cache-control", seconds === 0 ? "no-store" : `public, max-age=${seconds}, no-transform`)
      .header("etag", answer.tag)
      .header("expires", answer.expires)
      .send(answer.octets);
  };

  app.get<{ Params: { authority: string; file: string } }>(
    `${PUBLIC_PKI_PATH}/crl/:authority/:file`,
    limited,
    async ({ params, headers }, reply) => {
      const [, shard, isDelta] = /^(\d{1,3})(-delta)?\.crl$/.exec(params.file) ?? [];
      if (shard === undefined) throw new ProblemError("not-found", "lists are SHARD.crl and SHARD-delta.crl");
      const authority = identifier(params.authority);
      const kind = isDelta === undefined ? "full" : "delta";
      const answer = await published(`${kind}/${authority}/${shard}`, async () => {
        return (await custodian.publishedList({ authority, shard: Number(shard), kind })).list;
      });
      if (headers["if-none-match"] === answer.tag) return reply.status(304).send();
      return send(reply, "application/pkix-crl", answer);
    },
  );

  const ocsp = async (reply: FastifyReply, authority: string, request: Uint8Array, name: string) => {
    if (request.length > MOST_REQUEST_BYTES) throw new ProblemError("body-too-large", "no request is that long");
    const answer = await published(name, () => custodian.publishedAnswer({ authority, request }));
    return send(reply, "application/ocsp-response", answer);
  };
  app.addContentTypeParser("application/ocsp-request", { parseAs: "buffer" }, (_, body, done) => done(null, body));
  app.post<{ Params: { authority: string }; Body: Buffer }>(
    `${PUBLIC_PKI_PATH}/ocsp/:authority`,
    limited,
    ({ params, body }, reply) => {
      if (!Buffer.isBuffer(body)) throw new ProblemError("media-type-unsupported", "send application/ocsp-request");
      const name = `ocsp/${params.authority}/${body.toString("base64")}`;
      return ocsp(reply, identifier(params.authority), body, name);
    },
  );
  app.get<{ Params: { authority: string; "*": string } }>(
    `${PUBLIC_PKI_PATH}/ocsp/:authority/*`,
    limited,
    ({ params, url }, reply) => {
      // Clients that encode base64 for a URL send %2F and %2B, others do not.
      const text = params["*"].replaceAll(" ", "+");
      if (!/^[A-Za-z0-9+/=_-]{8,6000}$/.test(text)) throw new ProblemError("body-invalid", "no base64 of a request");
      // Kept as it was asked for, so that it is found before anything of it is read.
      return ocsp(reply, identifier(params.authority), Buffer.from(text, "base64"), url);
    },
  );

  app.get<{ Params: { file: string } }>(`${PUBLIC_PKI_PATH}/ca/:file`, limited, async ({ params }, reply) => {
    const { authorities } = await custodian.authorities({});
    if (params.file === "all.pem") {
      const text = authorities.map(({ name, certificate }) => `# ${plain(name)}\n${pem(certificate)}`).join("");
      return reply.type("application/x-pem-file").header("cache-control", "public, max-age=3600").send(text);
    }
    const authority = identifier(params.file.replace(/\.cer$/, ""));
    const found = authorities.find((one) => one.authority === authority);
    if (found === undefined) throw new ProblemError("authority-unknown", "there is no such authority");
    return reply
      .type("application/pkix-cert")
      .header("cache-control", "public, max-age=86400")
      .send(Buffer.from(found.certificate));
  });

  const issued = async (query: IssuedQuery) => {
    const { authorities } = await custodian.authorities({});
    const names = new Map(authorities.map(({ authority, name }) => [authority, name]));
    const from = placeOf(query, now());
    const { certificates } = await custodian.newestCertificates({ ...from, limit: PAGE_CERTIFICATES });
    return certificates.map((one) => ({
      orderedAt: new Date(one.orderedAt).toISOString(),
      authority: one.authority,
      authorityName: names.get(one.authority) ?? one.authority,
      serial: one.serial,
      profile: one.profile,
      keyIdentifier: one.keyIdentifier,
      state: one.state,
    }));
  };
  app.get<{ Querystring: IssuedQuery }>(`${PUBLIC_PKI_PATH}/issued.json`, limited, async ({ query }, reply) => {
    reply.header("cache-control", "public, max-age=60");
    return { issued: await issued(query) };
  });
  app.get<{ Querystring: IssuedQuery }>(`${PUBLIC_PKI_PATH}/issued`, limited, async ({ query }, reply) =>
    reply
      .type("text/html; charset=utf-8")
      .header("cache-control", "public, max-age=60")
      .send(issuedPage(await issued(query))),
  );
  app.get(`${PUBLIC_PKI_PATH}/issued.css`, limited, async (_, reply) =>
    reply.type("text/css; charset=utf-8").header("cache-control", "public, max-age=86400").send(PAGE_STYLE),
  );

  return (request, response) => {
    const { method, url = "", headers } = request;
    if (method !== "GET" || !url.startsWith(OCSP_PATH) || !isOurs(headers.host)) return false;
    const answer = kept.find(url);
    if (answer === undefined) return false;
    const seconds = Math.floor((answer.until - now()) / 1000);
    if (seconds <= 0) return false;
    response.writeHead(200, [
      "content-type",
      "application/ocsp-response",
      "content-length",
      answer.length,
      "cache-control",
      `public, max-age=${seconds}, no-transform`,
      "etag",
      answer.tag,
      "expires",
      answer.expires,
      "x-content-type-options",
      "nosniff",
    ]);
    response.end(answer.octets);
    return true;
  };
}

/** From where a page goes on: a moment, and within it the last certificate of the page before. */
interface IssuedQuery {
  readonly before?: string;
  readonly authority?: string;
  readonly serial?: string;
}

function placeOf({ before, authority, serial }: IssuedQuery, now: number) {
  const moment = momentOf(before, now);
  if (authority === undefined && serial === undefined) return { before: moment, after: undefined };
  if (!/^([0-9a-f]{2}){8,20}$/.test(serial ?? ""))
    throw new ProblemError("body-invalid", "a page goes on behind an authority's certificate: authority and serial");
  return { before: moment, after: { authority: identifier(authority ?? ""), serial: serial! } };
}

/** A moment in a query: RFC 3339, or now. */
function momentOf(text: string | undefined, now: number): number {
  const moment = text === undefined ? now : Date.parse(text);
  if (!Number.isInteger(moment) || moment < 0) throw new ProblemError("body-invalid", "before is no time in RFC 3339");
  return moment;
}

function identifier(text: string): string {
  if (!/^[0-9a-f]{16,40}$/.test(text)) throw new ProblemError("authority-unknown", "an authority is named in hex");
  return text;
}

/** What the custodian does not have is not there; that it does not answer is said. */
function notHere(error: unknown): undefined {
  if (error instanceof CustodianCallError && (error.code === "pki-refused" || error.code === "request-malformed"))
    return undefined;
  throw error;
}

function pem(octets: Uint8Array): string {
  const lines =
    Buffer.from(octets)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function plain(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/g, "?");
}
