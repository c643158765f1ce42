import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { AuthorityView, Custodian } from "@meterkeep/api/custodian";
import type { OperatorConfig } from "@meterkeep/api/supervisor";
import { decode } from "@meterkeep/dlms";
import { localSigner, makeRequestWith, publicKey, toPem } from "@meterkeep/pki";
import { operatorClient } from "../operator/custodian.ts";
import type { StoredCredential } from "./credentials.ts";
import { writePrivate } from "./directories.ts";
import { StartError } from "./error.ts";
import type { ProcessUser } from "./users.ts";

/** Certificates of the utility's own PKI for the connections between head-end and concentrators. */
export interface TrunkCredentials {
  readonly headEnd: StoredCredential & { readonly name: string };
  readonly concentrators: readonly (StoredCredential & { readonly name: string })[];
  /** The roots, PEM. */
  readonly authorities: string;
}

/** Whose key and certificate are kept where. */
interface Keeping {
  readonly directory: string;
  readonly user: ProcessUser | undefined;
}

interface TrunkSources {
  readonly place: { readonly utility: string; readonly island: string };
  readonly operator: OperatorConfig["channel"];
  readonly headEnd: Keeping;
  readonly concentrators: Keeping;
  readonly now: number;
}

/** The name of the head-end in its certificate. */
const HEAD_END = "head-end";
const DAY_MS = 86_400_000;
const RENEW_BEFORE_DAYS = 30;

/**
 * Opens the credentials that are there, and has the custodian's PKI certify keys where there are none, or where they end
 * soon.
 *
 * @throws {StartError} `trunk-credential-refused`
 */
export async function openTrunkCredentials(count: number, sources: TrunkSources): Promise<TrunkCredentials> {
  const { operator, place, now } = sources;
  const custodian = operatorClient(operator);
  try {
    const { authorities } = await custodian.authorities({});
    const above = lineTo(authorities, place);
    const chain = above.filter(({ parent }) => parent !== undefined);
    const root = above.find(({ parent }) => parent === undefined);
    if (above[0] === undefined || root === undefined)
      throw new StartError("trunk-credential-refused", "the PKI has no issuing authority on P-256 for this island");
    const open = async (name: string, profile: string, hosts: readonly string[], { directory, user }: Keeping) => {
      const [keyFile, certificateFile] = [`${directory}/${name}.trunk.key`, `${directory}/${name}.trunk.crt`];
      const stored = { name, keyFile };
      if (existsSync(keyFile) && existsSync(certificateFile)) {
        const certificate = readFileSync(certificateFile, "utf8");
        const left = Date.parse(new X509Certificate(certificate).validTo) - now;
        if (left > RENEW_BEFORE_DAYS * DAY_MS) return { ...stored, certificate };
      }
      const { key, own } = await certify(custodian, above[0] as AuthorityView, name, profile, hosts);
      const certificate = [own, ...chain.map((one) => one.certificate)]
        .map((octets) => toPem("CERTIFICATE", octets))
        .join("");
      writePrivate(keyFile, key, user);
      writePrivate(certificateFile, certificate, user);
      return { ...stored, certificate };
    };
    const headEnd = await open(HEAD_END, "tls-client", [], sources.headEnd);
    const concentrators = [];
    for (let n = 1; n <= count; n += 1)
      concentrators.push(await open(`dc-${n}`, "concentrator", ["127.0.0.1"], sources.concentrators));
    return { headEnd, concentrators, authorities: toPem("CERTIFICATE", root.certificate) };
  } finally {
    await custodian.close();
  }
}

/** The authority that issues for an island, and those above it up to the root. */
function lineTo(authorities: readonly AuthorityView[], { utility, island }: TrunkSources["place"]): AuthorityView[] {
  const line: AuthorityView[] = [];
  let next = authorities.find(
    (one) =>
      one.profile === "issuing-p256" && one.utility === utility && one.island === island && one.state === "standing",
  );
  while (next !== undefined) {
    line.push(next);
    const { parent } = next;
    next = parent === undefined ? undefined : authorities.find(({ authority }) => authority === parent);
  }
  return line;
}

async function certify(
  custodian: Pick<Custodian, "issueCertificates">,
  { authority }: AuthorityView,
  name: string,
  profile: string,
  hosts: readonly string[],
): Promise<{ readonly key: string; readonly own: Uint8Array }> {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const point = decode(publicKey, new Uint8Array(pair.publicKey.export({ type: "spki", format: "der" })));
  const request = await makeRequestWith(localSigner(pair.privateKey, point), name);
  const { results } = await custodian.issueCertificates({
    authority,
    items: [{ request, profile, subject: { kind: "named", fields: [{ field: "CN", text: name }] } }],
    hosts: [...hosts],
  });
  const [result] = results;
  if (result?.kind !== "issued")
    throw new StartError("trunk-credential-refused", `no certificate for ${name}: ${result?.message ?? "no answer"}`);
  return { key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), own: result.certificate };
}
