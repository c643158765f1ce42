import { isIP } from "node:net";
import { type CertificateView, type Custodian, certificatesLike } from "@meterkeep/api/custodian";
import { WORKER_TICKET, type WorkerTicket } from "@meterkeep/api/supervisor";
import { toPem } from "@meterkeep/pki";
import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { writeNew } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { operatorConfig, runningServer } from "../operator/server.ts";
import { lineTo } from "../start/trunk-credentials.ts";
import { type Terminal, write } from "../terminal.ts";

export interface EnrolOptions extends OperatorOptions {
  readonly host?: string;
  readonly hours: string;
}

/** The profile of workers' certificates. */
const PROFILE = "worker";
const HOUR_MS = 3_600_000;

/** `meterkeep worker enrol`: writes what another machine needs to come in as this worker, once. */
export async function enrolWorker(
  name: string,
  file: string,
  options: EnrolOptions,
  terminal: Terminal,
): Promise<void> {
  const subject = subjectOf(name);
  const { gate, channel } = operatorConfig(options.state, terminal);
  if (gate === undefined)
    throw new CliError("option-invalid", "this Meterkeep has no gate for workers: start it with --worker-gate");
  const hours = Number(options.hours);
  if (!Number.isInteger(hours) || hours < 1 || hours > 720)
    throw new CliError("option-invalid", `--hours must be a whole number from 1 to 720, not ${options.hours}`);
  const { utility, island } = await runningServer(options.state, terminal).call("publicConfig");
  const { host } = options;
  if (host === undefined && isAny(gate.host))
    throw new CliError(
      "option-invalid",
      `the gate listens on ${gate.host}: say with --host by which name or address the worker reaches it`,
    );
  const ticket = await asOperator(options.state, terminal, async (custodian): Promise<WorkerTicket> => {
    const { authorities } = await custodian.authorities({});
    const line = lineTo(authorities, { utility, island });
    const [issuer, root] = [line[0], line.at(-1)];
    if (issuer === undefined || root === undefined)
      throw new CliError("option-invalid", `no authority on P-256 issues for ${utility}/${island}: make one first`);
    const { password } = await custodian.makeEnrolmentPassword({
      name,
      authority: issuer.authority,
      profile: PROFILE,
      subject,
      hosts: [],
      endsAt: Date.now() + hours * HOUR_MS,
    });
    return {
      format: WORKER_TICKET.format.of[0],
      name,
      gate: { host: host ?? gate.host, port: gate.port },
      enrolment: { host: host ?? gate.enrolment.host, port: gate.enrolment.port },
      authorities: toPem("CERTIFICATE", root.certificate),
      custodianCertificate: channel.custodianCertificate,
      password,
    };
  });
  await writeNew(file, `${JSON.stringify(ticket, undefined, 2)}\n`, 0o600);
  const text = `Wrote ${file}. It lets one machine in as the worker ${name}, once, within ${hours} hours; take it there and run
  npx meterkeep worker join ${file} --state DIR
  npx meterkeep worker start --state DIR
`;
  await print(terminal, options, { enrolled: name, file, hours }, text);
}

/** `meterkeep worker remove`: revokes whatever certificates the worker has. */
export async function removeWorker(name: string, options: OperatorOptions, terminal: Terminal): Promise<void> {
  subjectOf(name);
  const revoked = await asOperator(options.state, terminal, async (custodian) => {
    const own = await certificatesOfWorker(custodian, name);
    let count = 0;
    for (const { authority, serial } of own)
      count += (await custodian.revokeCertificates({ authority, serials: [serial], reason: "cessationOfOperation" }))
        .revoked;
    return count;
  });
  if (revoked === 0) throw new CliError("option-invalid", `no worker ${name} has a certificate`);
  const text = `${name} is cut off, and comes in no more: ${revoked} of its certificates ${revoked === 1 ? "was" : "were"} revoked.\n`;
  await print(terminal, options, { removed: name, revoked }, text);
}

/**
 * What a worker has that was not revoked. In any other state: a row that calls one expired keeps it from nothing, and
 * what is revoked says the custodian's journal.
 */
export async function certificatesOfWorker(
  custodian: Pick<Custodian, "searchCertificates">,
  name: string,
): Promise<readonly CertificateView[]> {
  const own: CertificateView[] = [];
  // What begins so may be another's, any number of them.
  for await (const one of certificatesLike(custodian, { subject: `CN=${name}` }))
    if (one.profile === PROFILE && one.subject === `CN=${name}` && one.state !== "revoked") own.push(one);
  return own;
}

function subjectOf(name: string) {
  if (!/^[a-z0-9][a-z0-9.-]{0,47}$/.test(name))
    throw new CliError(
      "option-invalid",
      `a worker's name is 1 to 48 small letters, digits, dots and hyphens, not ${name}`,
    );
  return { kind: "named", fields: [{ field: "CN", text: name }] } as const;
}

function isAny(host: string): boolean {
  return isIP(host) !== 0 && (host === "0.0.0.0" || host === "::");
}

async function print(terminal: Terminal, options: OperatorOptions, value: unknown, text: string): Promise<void> {
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(value)}\n` : text);
}
