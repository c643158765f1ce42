import { type RequestOptions, request } from "node:https";
import { TLS_GROUPS } from "@meterkeep/dlms-node";
import { PkiError } from "../errors.ts";
import { decodeCertsOnly } from "./cms.ts";

/** An enrolment service (EST, RFC 7030), and the roots that its certificate must lead to (PEM). */
export interface EstPlace {
  readonly host: string;
  readonly port: number;
  readonly authorities: string;
}

/** How a client proves itself: with a one-time password, or with the certificate that it renews (PEM). */
export type EstProof =
  | { readonly kind: "password"; readonly name: string; readonly password: string }
  | { readonly kind: "certificate"; readonly privateKey: string; readonly certificate: string };

const TIMEOUT_MILLISECONDS = 30_000;
const MOST_OCTETS = 1024 * 1024;

/** The certificates of the authorities (clause 4.1). @throws PkiError `enrolment-refused` */
export async function authoritiesOf(place: EstPlace): Promise<readonly Uint8Array[]> {
  return certificatesIn(await ask(place, "cacerts", { method: "GET" }));
}

/** Has a request certified: for the first time with a password (clause 4.2.1), anew with a certificate (4.2.2). @throws PkiError `enrolment-refused` */
export async function enrolledBy(place: EstPlace, proof: EstProof, pkcs10: Uint8Array): Promise<Uint8Array> {
  const headers = { "content-type": "application/pkcs10", "content-transfer-encoding": "base64" };
  const body = Buffer.from(pkcs10).toString("base64");
  const answer =
    proof.kind === "password"
      ? await ask(place, "simpleenroll", { method: "POST", headers, auth: `${proof.name}:${proof.password}` }, body)
      : await ask(
          place,
          "simplereenroll",
          { method: "POST", headers, key: proof.privateKey, cert: proof.certificate },
          body,
        );
  const [certificate] = certificatesIn(answer);
  if (certificate === undefined)
    throw new PkiError("enrolment-refused", "the enrolment service answered without a certificate");
  return certificate;
}

function certificatesIn(base64: string): readonly Uint8Array[] {
  try {
    return decodeCertsOnly(new Uint8Array(Buffer.from(base64, "base64")));
  } catch (cause) {
    throw new PkiError(
      "enrolment-refused",
      `the enrolment service did not answer with certificates: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

function ask(
  { host, port, authorities }: EstPlace,
  operation: string,
  options: RequestOptions,
  body?: string,
): Promise<string> {
  const where = `https://${host}:${port}/.well-known/est/${operation}`;
  return new Promise((resolve, reject) => {
    const refuse = (why: string, cause?: unknown) =>
      reject(new PkiError("enrolment-refused", `${where}: ${why}`, { cause }));
    const sent = request(
      where,
      // An agent would keep the connection, and with it who proved itself on it.
      { ...options, agent: false, ca: authorities, minVersion: "TLSv1.3", ecdhCurve: TLS_GROUPS },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on("error", (error) => refuse(error.message, error));
        response.on("data", (chunk: Buffer) => {
          length += chunk.length;
          if (length > MOST_OCTETS) sent.destroy(new Error("its answer is too long"));
          else chunks.push(chunk);
        });
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          if (response.statusCode === 200) resolve(text);
          else refuse(`${response.statusCode} ${text.trim().slice(0, 200)}`);
        });
      },
    );
    sent.setTimeout(TIMEOUT_MILLISECONDS, () => sent.destroy(new Error("no answer")));
    sent.on("error", (error) => refuse(error.message, error));
    sent.end(body);
  });
}
