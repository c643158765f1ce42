import { once } from "node:events";
import {
  type CustodianRequest,
  type Exposure,
  type FieldReport,
  LEASE_OPERATIONS,
  type LeaseOperation,
  MAX_LEASE_HOURS,
} from "@meterkeep/api/custodian";
import { fromHex, type SystemTitle, systemTitle } from "@meterkeep/dlms";
import { parseMeterAddress } from "../access/meter-address.ts";
import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { fileText, writeGiven } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { type Terminal, write } from "../terminal.ts";
import { startBridge } from "./bridge.ts";
import { custodianId, type LeaseFile, readAloud } from "./custodian-pin.ts";
import { makeHandheldKey } from "./handheld-key.ts";
import { serialDevice } from "./serial-device.ts";

/** `meterkeep field key`: on the handheld. */
export async function makeKey(name: string, options: { readonly out: string }, terminal: Terminal): Promise<void> {
  const publicFile = await makeHandheldKey(name, options.out);
  await write(terminal.stdout, `${options.out} stays on this handheld; enrol ${publicFile}.\n`);
}

/** What `meterkeep field bridge` is told. */
export interface BridgeOptions {
  readonly origin: string;
  readonly port: string;
  readonly link: string;
  readonly optical?: boolean;
}

/** `meterkeep field bridge`: until it is interrupted. */
export async function bridge(address: string, options: BridgeOptions, terminal: Terminal): Promise<void> {
  const { origin, link, optical = false } = options;
  const serial = serialDevice(address);
  if (URL.parse(origin)?.origin !== origin)
    throw new CliError("option-invalid", "--origin is the page's, such as http://localhost:8422");
  if (link !== "wrapper" && link !== "hdlc") throw new CliError("option-invalid", "--link must be wrapper or hdlc");
  const port = Number(options.port);
  if (!/^\d{1,5}$/.test(options.port) || port > 65_535) throw new CliError("option-invalid", "--port must be a port");
  const target = {
    address,
    link: serial === undefined ? link : "hdlc",
    optical,
    serial,
    ...(serial === undefined ? parseMeterAddress(address) : { host: "", port: 0 }),
  } as const;
  const signal = terminal.interrupted;
  await using open = await startBridge(target, { origin, port });
  await write(terminal.stdout, `The page at ${origin} reaches ${address} through port ${open.port}. Ctrl-C ends it.\n`);
  if (!signal.aborted) await once(signal, "abort");
}

/** `meterkeep field enrol` */
export async function enrol(
  file: string,
  options: OperatorOptions & { readonly technician: string },
  terminal: Terminal,
): Promise<void> {
  const publicKey = fileText(file);
  const { technician } = options;
  await asOperator(options.state, terminal, (custodian) => custodian.enrolHandheld({ publicKey, technician }));
  await print(terminal, options, { enrolled: true }, `Enrolled for ${technician}; the ledger says so.\n`);
}

/** `meterkeep field lend` */
export async function lend(
  handheld: string,
  meters: readonly string[],
  options: OperatorOptions & {
    readonly out: string;
    readonly hours: string;
    readonly operations: string;
    readonly reason: string;
  },
  terminal: Terminal,
): Promise<void> {
  const operations = options.operations.split(",").map((name) => {
    const found = LEASE_OPERATIONS.find((one) => one === name.trim());
    if (found === undefined) throw new CliError("option-invalid", `--operations: of ${LEASE_OPERATIONS.join(", ")}`);
    return found satisfies LeaseOperation;
  });
  const hours = Number(options.hours);
  if (!Number.isInteger(hours) || hours < 1 || hours > MAX_LEASE_HOURS)
    throw new CliError("option-invalid", `--hours must be a whole number from 1 to ${MAX_LEASE_HOURS}`);
  const { reason } = options;
  const titles = meters.map(titleOf);
  const given = await writeGiven(
    options.out,
    () =>
      asOperator(options.state, terminal, (custodian) =>
        custodian.giveLease({ handheld, meters: titles, operations, hours, reason }),
      ),
    ({ file }) => file,
  );
  const { signed } = JSON.parse(given.file) as LeaseFile;
  const custodian = signed && custodianId(signed.by);
  const whose =
    custodian === undefined
      ? ""
      : `A handheld that takes its first lease shows this custodian: ${readAloud(custodian)}\n`;
  await print(
    terminal,
    options,
    { lease: given.lease, file: options.out, ...(custodian !== undefined && { custodian }) },
    `Lease ${given.lease} for ${meters.length} ${meters.length === 1 ? "meter" : "meters"} is in ${options.out}: it opens on ${handheld} alone. Its keys are rotated when it ends.\n${whose}`,
  );
}

/** `meterkeep field return` */
export async function hand(file: string, options: OperatorOptions, terminal: Terminal): Promise<void> {
  const journal = fileText(file);
  const { report } = await asOperator(options.state, terminal, (custodian) => custodian.returnLease({ journal }));
  await print(terminal, options, JSON.parse(report), reportText(JSON.parse(report) as FieldReport));
}

/** `meterkeep field lost` */
export async function lose(
  handheld: string,
  options: OperatorOptions & { readonly reason: string },
  terminal: Terminal,
): Promise<void> {
  const { reason } = options;
  const { report } = await asOperator(options.state, terminal, (custodian) =>
    custodian.loseHandheld({ handheld, reason }),
  );
  await print(terminal, options, JSON.parse(report), reportText(JSON.parse(report) as FieldReport));
}

/** `meterkeep field status` */
export async function status(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const { report } = await asOperator(options.state, terminal, (custodian) => custodian.fieldReport({}));
  await print(terminal, options, JSON.parse(report), reportText(JSON.parse(report) as FieldReport));
}

/** `meterkeep exposure` */
export async function exposure(
  meter: string | undefined,
  options: OperatorOptions & { readonly person?: string },
  terminal: Terminal,
): Promise<void> {
  if ((meter === undefined) === (options.person === undefined))
    throw new CliError("option-invalid", "name a meter, or --person: one of them");
  const asked = { meter: meter === undefined ? undefined : titleOf(meter), person: options.person };
  const found = await asOperator(options.state, terminal, async (custodian) => {
    const rows: Exposure[] = [];
    for (let from: CustodianRequest<"exposure">["from"]; ; ) {
      const page = await custodian.exposure({ ...asked, from });
      rows.push(...(JSON.parse(page.exposures) as readonly Exposure[]));
      from = page.next;
      if (from === undefined) return rows.sort((a, b) => a.from - b.from);
    }
  });
  const lines = found.map(
    ({ meter: of, who, keys, form, from, until, why }) =>
      `${of}  ${day(from)} to ${until === undefined ? "now       " : day(until)}  ${who}: ${keys}, ${form}; ${why}\n`,
  );
  await print(terminal, options, found, lines.length === 0 ? "Nobody is known to.\n" : lines.join(""));
}

function reportText({ handhelds, leases }: FieldReport): string {
  const lines = [
    ...handhelds.map(({ handheld, technician, state }) => `${handheld} of ${technician}: ${state}`),
    ...leases.flatMap(({ lease, technician, handheld, state, until, disputes, meters, meterHours }) => {
      const open = meters.filter(({ rotatedAt }) => rotatedAt === undefined).length;
      const after = open === 0 ? "all rotated" : `${open} of ${meters.length} not rotated yet`;
      const told = meters.flatMap(({ meter, counted, logged }) =>
        [counted, logged].flatMap((one) =>
          one === undefined || one.outcome === "agrees" ? [] : [`  ${meter}: ${one.outcome}, ${one.sentence}`],
        ),
      );
      const line = `lease ${lease} to ${technician} (${handheld}) until ${new Date(until).toISOString()}: ${state}, ${meters.length} ${meters.length === 1 ? "meter" : "meters"}, ${after}, ${meterHours} meter-hours exposed`;
      return [line, ...disputes.map((why) => `  disputed: ${why}`), ...told];
    }),
  ];
  return lines.length === 0 ? "No handheld is enrolled.\n" : `${lines.join("\n")}\n`;
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function titleOf(text: string): SystemTitle {
  const title = text.replace(/[\s:-]/g, "");
  if (!/^[0-9A-Fa-f]{16}$/.test(title))
    throw new CliError("option-invalid", `"${text}" is no system title of 16 hex digits`);
  return systemTitle(fromHex(title));
}

async function print(terminal: Terminal, options: OperatorOptions, value: unknown, text: string): Promise<void> {
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(value)}\n` : text);
}
