import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { LeaseOperation } from "@meterkeep/api/custodian";
import { type FrameCounters, fromHex, systemTitle } from "@meterkeep/dlms";
import type { KeptCounters } from "../access/kept-counters.ts";
import { CliError, EXIT } from "../error.ts";
import { type LeaseFile, requireCustodian } from "./custodian-pin.ts";
import { type HandheldKey, journalText, openSealed, signedJournal } from "./handheld-key.ts";

/** A meter of a lease, and its keys. */
export interface LentMeter {
  readonly meter: string;
  readonly label: string;
  readonly profile: string;
  readonly securitySuite: number;
  /** The client that each operation is done as. */
  readonly clients?: Readonly<Partial<Record<LeaseOperation, number>>>;
  readonly first: number;
  readonly count: number;
  readonly encryptionKey: Uint8Array;
  readonly authenticationKey: Uint8Array;
}

/** What was done with a meter. */
export interface FieldAct {
  readonly meter: string;
  readonly at: number;
  readonly operation: LeaseOperation;
  readonly address: string;
  readonly outcome: string;
}

interface Terms {
  readonly lease: string;
  readonly technician: string;
  readonly from: number;
  readonly until: number;
  readonly operations: readonly LeaseOperation[];
  readonly client: string;
  readonly meters: readonly Omit<LentMeter, "encryptionKey" | "authenticationKey">[];
}

/** An open lease on its handheld. */
export interface OpenLease {
  readonly terms: Terms;
  /** The id of its custodian, where it is the first lease of this handheld. */
  readonly firstOf: string | undefined;
  /** The meter, where the lease allows this operation now. @throws CliError `lease-not-valid` */
  meterFor(title: string, operation: LeaseOperation, now: number): LentMeter;
  /** Counters of the lease, written down before they are used. */
  readonly counters: KeptCounters;
  /** Writes an act into the journal, which the handheld signs. */
  note(act: FieldAct): void;
  /** Where the journal is. */
  readonly journal: string;
}

interface Journal {
  readonly lease: string;
  readonly used: readonly { readonly meter: string; readonly next: number }[];
  /** Counters that meters had taken and this journal knew nothing of. */
  readonly passed: readonly { readonly meter: string; readonly first: number; readonly next: number }[];
  readonly acts: readonly FieldAct[];
}

/**
 * Opens a lease with the handheld's key, where its custodian has signed it. Its journal lies beside it and goes on from where it
 * was. @throws CliError
 *
 * @param pinFile where the handheld keeps who its custodian is
 */
export function openLease(file: string, key: HandheldKey, pinFile: string): OpenLease {
  const lease = parsed(file);
  const firstOf = requireCustodian(lease, pinFile);
  const { terms: text, key: wrapped, sealed } = lease;
  const terms = JSON.parse(text) as Terms;
  const keys = JSON.parse(openSealed(key, wrapped, text, sealed)) as readonly {
    readonly meter: string;
    readonly encryptionKey: string;
    readonly authenticationKey: string;
  }[];
  const path = `${file}.journal`;
  let journal = readJournal(path, terms.lease, key);
  const keep = (next: Journal): void => {
    journal = next;
    // Under another name first: a handheld whose battery ends keeps the journal before.
    writeFileSync(`${path}.new`, signedJournal(key, JSON.stringify(journal)), { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
  };
  const meters = terms.meters.flatMap((meter): LentMeter[] => {
    const own = keys.find((one) => one.meter === meter.meter);
    if (own === undefined) return [];
    const { encryptionKey, authenticationKey } = own;
    return [{ ...meter, encryptionKey: fromHex(encryptionKey), authenticationKey: fromHex(authenticationKey) }];
  });
  return {
    terms,
    firstOf,
    journal: path,
    note: (act) => keep({ ...journal, acts: [...journal.acts, act] }),
    meterFor: (title, operation, now) => {
      const meter = meters.find((one) => one.meter === title);
      if (meter === undefined) throw invalid(`meter ${title} is not in the lease`);
      if (!terms.operations.includes(operation)) throw invalid(`the lease does not allow to ${operation}`);
      if (now < terms.from || now >= terms.until)
        throw invalid(`the lease is from ${instant(terms.from)} to ${instant(terms.until)}`);
      return meter;
    },
    counters: {
      title: systemTitle(fromHex(terms.client)),
      of: (encryptionKey, _client, lowest): FrameCounters => ({
        take: (count) => {
          const meter = meters.find((one) => Buffer.from(one.encryptionKey).equals(encryptionKey));
          if (meter === undefined) throw invalid("this key is not of the lease");
          const known = journal.used.find((one) => one.meter === meter.meter)?.next ?? meter.first;
          const first = Math.max(known, lowest);
          if (first + count > meter.first + meter.count)
            throw invalid(
              `the counters of meter ${meter.meter} go up to ${meter.first + meter.count - 1}, and ${first + count - 1} is wanted: a new lease is needed`,
            );
          const others = journal.used.filter((one) => one.meter !== meter.meter);
          const used = [...others, { meter: meter.meter, next: first + count }];
          // Nobody but this handheld should have used them: this journal was put back, or somebody else has the keys.
          const passed = first > known ? [{ meter: meter.meter, first: known, next: first }] : [];
          keep({ ...journal, used, passed: [...journal.passed, ...passed] });
          return first;
        },
      }),
    },
  };
}

/** What the handheld has written so far: signed, since a counter that it says is unused will be used. */
function readJournal(path: string, lease: string, key: HandheldKey): Journal {
  if (!existsSync(path)) return { lease, used: [], passed: [], acts: [] };
  const journal = JSON.parse(journalText(key, readFileSync(path, "utf8"))) as Journal;
  if (journal.lease !== lease) throw invalid(`${path} is the journal of lease ${journal.lease}`);
  return journal;
}

function parsed(file: string): LeaseFile {
  try {
    const value = JSON.parse(readFileSync(file, "utf8")) as LeaseFile;
    if (typeof value.terms === "string" && typeof value.sealed === "string") return value;
  } catch (cause) {
    throw new CliError("key-file-invalid", `${file} is no lease`, { cause });
  }
  throw new CliError("key-file-invalid", `${file} is no lease`);
}

function invalid(why: string): CliError {
  return new CliError("lease-not-valid", why, { exitStatus: EXIT.refused });
}

function instant(at: number): string {
  return new Date(at).toISOString();
}
