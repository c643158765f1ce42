import type { LeaseOperation } from "@meterkeep/api/custodian";
import {
  BUILT_IN_PROFILES,
  Clock,
  dateTimeAt,
  fromHex,
  remote,
  type SecuritySuiteId,
  systemTitle,
} from "@meterkeep/dlms";
import { type MeterAccess, resolveAccess } from "../access/meter-access.ts";
import { openMeter } from "../access/open-meter.ts";
import { CliError, EXIT } from "../error.ts";
import { discover } from "../read/discover.ts";
import { readText } from "../read/print.ts";
import { associationInWords } from "../read/run.ts";
import { type Terminal, write } from "../terminal.ts";
import { readAloud } from "./custodian-pin.ts";
import { readHandheldKey } from "./handheld-key.ts";
import { type LentMeter, openLease } from "./lease.ts";
import { serialDevice } from "./serial-device.ts";

/** How a meter is visited under a lease. */
export interface VisitOptions {
  readonly lease: string;
  readonly key: string;
  readonly link?: string;
  readonly optical?: boolean;
  readonly timeout?: string;
  readonly json?: boolean;
}

/** A serial line has no address; what is put here is never connected to. */
const NO_ADDRESS = "tcp://0.0.0.0:1";

/** `meterkeep field read` and `meterkeep field set-clock`: offline, with what is in the lease. */
export async function visit(
  operation: LeaseOperation,
  title: string,
  address: string,
  options: VisitOptions,
  terminal: Terminal,
): Promise<void> {
  const meter = title.replace(/[\s:-]/g, "").toUpperCase();
  const pinFile = `${options.key}.custodian`;
  const lease = openLease(options.lease, readHandheldKey(options.key), pinFile);
  if (lease.firstOf !== undefined)
    await write(
      terminal.stderr,
      `The first lease of this handheld: from now on it takes those of this custodian alone,\n  ${readAloud(lease.firstOf)}\nCompare it with what \`meterkeep field lend\` has said there. If it is another: go to no meter with this lease, remove ${pinFile}, and tell whoever operates the custodian.\n`,
    );
  const lent = lease.meterFor(meter, operation, Date.now());
  const access = await accessOf(lent, operation, address, options, lease.counters.title, terminal);
  const act = { meter, at: Date.now(), operation, address };
  try {
    await using opened = await openMeter(access, { counters: lease.counters, signal: terminal.interrupted });
    if (operation === "read") {
      const { deviceName, ...holdings } = await discover(opened.session, 0);
      const read = { meter: { systemTitle: meter, deviceName }, association: associationInWords(access), ...holdings };
      await write(terminal.stdout, options.json === true ? `${JSON.stringify(read)}\n` : readText(read, false));
    } else {
      const clock = remote(opened.session, Clock, "0.0.1.0.0.255");
      const before = await clock.get("time");
      await clock.set("time", dateTimeAt(Date.now(), before.deviation ?? 0));
      await write(terminal.stdout, `The clock of ${meter} is set.\n`);
    }
    lease.note({ ...act, outcome: "done" });
  } catch (error) {
    lease.note({ ...act, outcome: error instanceof Error ? error.message : String(error) });
    throw error;
  }
  await write(terminal.stderr, `The journal is in ${lease.journal}: hand it in with \`npx meterkeep field return\`.\n`);
}

/** The access that a lease gives: mechanism 5, authenticated and encrypted, as the client that it names for the operation. */
async function accessOf(
  { meter, profile, securitySuite, clients, encryptionKey, authenticationKey }: LentMeter,
  operation: LeaseOperation,
  address: string,
  { link, optical, timeout }: VisitOptions,
  client: MeterAccess["title"] & {},
  terminal: Terminal,
): Promise<MeterAccess> {
  const clientSap = clients?.[operation];
  if (clientSap === undefined)
    throw new CliError("lease-not-valid", "the lease names no client of the meter for this: have it lent anew", {
      exitStatus: EXIT.refused,
    });
  const serial = serialDevice(address);
  const known = BUILT_IN_PROFILES.some(({ id }) => id === profile);
  const base = await resolveAccess(
    serial === undefined ? address : NO_ADDRESS,
    {
      mechanism: "none",
      ...(known && { profile }),
      ...(timeout !== undefined && { timeout }),
      ...(serial !== undefined || link !== undefined ? { link: serial === undefined ? (link as string) : "hdlc" } : {}),
    },
    terminal,
  );
  if (optical === true && serial === undefined)
    throw new CliError("option-invalid", "--optical opens a port at serial:/dev/…");
  return {
    ...base,
    ...(serial !== undefined && { serial: { path: serial, optical: optical === true } }),
    clientSap,
    mechanism: "gmac",
    keys: { encryptionKey, authenticationKey },
    suite: securitySuite as SecuritySuiteId,
    meter: systemTitle(fromHex(meter)),
    title: client,
  };
}
