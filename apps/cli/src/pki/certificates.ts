import { CERTIFICATE_STATES } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import { toPem } from "@meterkeep/pki";
import Table from "cli-table3";
import { CliError, EXIT } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { writeNew } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { readPem } from "./files.ts";
import {
  choiceFrom,
  hexFrom,
  type IssueOptions,
  numberFrom,
  print,
  type SearchOptions,
  subjectFrom,
  titleFrom,
} from "./options.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const NO_END_MS = Date.UTC(9999, 11, 31);

/** `meterkeep pki issue` */
export async function issue(
  authorityText: string,
  file: string,
  options: IssueOptions,
  terminal: Terminal,
): Promise<void> {
  const authority = hexFrom(authorityText, "the authority");
  const request = await readPem("CERTIFICATE REQUEST", file, terminal);
  const item = { request, profile: options.profile, subject: subjectFrom(options) };
  const { results } = await asOperator(options.state, terminal, (custodian) =>
    custodian.issueCertificates({ authority, items: [item], hosts: options.host ?? [] }),
  );
  const [result] = results;
  if (result?.kind !== "issued")
    throw new CliError("custodian-refused", result?.message ?? "nothing came back", { exitStatus: EXIT.refused });
  const pem = toPem("CERTIFICATE", result.certificate);
  if (options.out !== undefined) await writeNew(options.out, pem);
  await print(terminal, options, { certificate: pem }, options.out === undefined ? pem : `${options.out}\n`);
}

/** `meterkeep pki search` */
export async function search(options: SearchOptions, terminal: Terminal): Promise<void> {
  const { authority, serial, key, meter, subject, within } = options;
  const { certificates } = await asOperator(options.state, terminal, (custodian) =>
    custodian.searchCertificates({
      utility: undefined,
      authority: authority && hexFrom(authority, "--authority"),
      serial: serial && hexFrom(serial, "--serial"),
      keyIdentifier: key && hexFrom(key, "--key"),
      systemTitle: meter && systemTitleText(titleFrom(meter)),
      subject,
      state: options.is === undefined ? undefined : choiceFrom(CERTIFICATE_STATES, options.is, "--is"),
      endsBefore: within === undefined ? undefined : Date.now() + numberFrom(within, "--within") * DAY_MS,
      limit: numberFrom(options.limit, "--limit"),
      after: undefined,
    }),
  );
  const table = new Table({
    head: ["subject", "profile", "state", "ends", "serial", "authority"],
    style: { head: [], border: [], compact: true },
  });
  for (const one of certificates)
    table.push([one.subject, one.profile, one.state, endText(one.notAfter), one.serial, one.authority]);
  const shown = certificates.map(({ certificate, ...one }) => ({
    ...one,
    ...(certificate && { certificate: toPem("CERTIFICATE", certificate) }),
  }));
  await print(terminal, options, shown, certificates.length === 0 ? "No certificate is like that.\n" : `${table}\n`);
}

/** `meterkeep pki expiry` */
export async function expiry(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const now = Date.now();
  const { moments, rows } = await asOperator(options.state, terminal, (custodian) => custodian.expiryBoard({}));
  const table = new Table({
    head: ["profile", ...moments.map((moment, at) => columnText(moment - now, at === moments.length - 1))],
    style: { head: [], border: [], compact: true },
  });
  for (const profile of new Set(rows.map((row) => row.profile)))
    table.push([
      profile,
      ...moments.map((before) => rows.find((row) => row.profile === profile && row.before === before)?.count ?? 0),
    ]);
  await print(terminal, options, { moments, rows }, rows.length === 0 ? "There are no certificates.\n" : `${table}\n`);
}

/** `meterkeep pki password` */
export async function enrolmentPassword(
  name: string,
  options: IssueOptions & { readonly authority: string; readonly hours: string },
  terminal: Terminal,
): Promise<void> {
  const { profile, host = [] } = options;
  const authority = hexFrom(options.authority, "--authority");
  const subject = subjectFrom(options);
  const endsAt = Date.now() + numberFrom(options.hours, "--hours") * HOUR_MS;
  const { password } = await asOperator(options.state, terminal, (custodian) =>
    custodian.makeEnrolmentPassword({ name, authority, profile, subject, hosts: host, endsAt }),
  );
  const text = `${password}\nIt enrols ${name} once, until ${new Date(endsAt).toISOString()}. It is shown this once and kept nowhere.\n`;
  await print(terminal, options, { name, password, endsAt }, text);
}

function endText(notAfter: number): string {
  return notAfter >= NO_END_MS ? "never" : new Date(notAfter).toISOString().slice(0, 10);
}

function columnText(span: number, isLast: boolean): string {
  if (isLast) return "later";
  const days = Math.round(span / DAY_MS);
  return days < 365 ? `${days} days` : `${Math.round(days / 365)} years`;
}
