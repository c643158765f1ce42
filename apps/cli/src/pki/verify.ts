import {
  type Certificate,
  type CertificateUse,
  decodeCertificate,
  fromPem,
  KEY_USAGES,
  nameText,
  statusByLists,
  validatePath,
} from "@meterkeep/pki";
import { CliError, EXIT } from "../error.ts";
import { fileOctets } from "../named-file.ts";
import { type Terminal, write } from "../terminal.ts";
import { readText } from "./files.ts";

export interface VerifyOptions {
  readonly anchors: string;
  readonly untrusted?: readonly string[];
  readonly crl?: readonly string[];
  readonly use: string;
  readonly at?: string;
}

const USES: readonly string[] = ["tls-client", "tls-server", ...KEY_USAGES];

/** `meterkeep pki verify`: by files alone, as whoever has no registry does. */
export async function verifyByFiles(file: string, options: VerifyOptions, terminal: Terminal): Promise<void> {
  const at = options.at === undefined ? new Date() : new Date(options.at);
  if (Number.isNaN(at.getTime()))
    throw new CliError("option-invalid", `${options.at} is no moment: 2026-11-22T08:00:00Z`);
  if (!USES.includes(options.use)) throw new CliError("option-invalid", `${options.use} is none of ${USES.join(", ")}`);
  const certificates = async (path: string): Promise<readonly Certificate[]> =>
    fromPem("CERTIFICATE", await readText(path, terminal)).map((octets) => decodeCertificate(octets));
  const [certificate, ...own] = await certificates(file);
  if (certificate === undefined) throw new CliError("input-unreadable", `${file} holds no CERTIFICATE in PEM`);
  const others = await Promise.all((options.untrusted ?? []).map(certificates));
  const lists = options.crl?.map((path) => new Uint8Array(fileOctets(path)));
  const verdict = validatePath(certificate, {
    anchors: await certificates(options.anchors),
    intermediates: [...own, ...others.flat()],
    at,
    usage: options.use as CertificateUse,
    ...(lists && { statusOf: (one, issuer) => statusByLists(one, issuer, lists, at).kind }),
  });
  if (!verdict.isTrusted) {
    terminal.exitStatus = EXIT.refused;
    return write(terminal.stdout, `refused: ${verdict.message} [${verdict.problem}]\n`);
  }
  const line = verdict.path.map(({ subject }) => nameText(subject)).join(" < ");
  const byLists = lists === undefined ? "; nobody looked whether it was revoked (--crl)" : "";
  return write(terminal.stdout, `trusted: ${line}${byLists}\n`);
}
