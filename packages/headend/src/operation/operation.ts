import type { Session } from "@meterkeep/dlms";
import type { CommandClass, Operation as CommandDocument, Field } from "@meterkeep/guard";
import { classOf } from "@meterkeep/guard";
import type { Meter } from "../inventory/meter.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";
import type { EvidenceRecord, ReadResult } from "../reading/result.ts";
import type { MeterReader } from "../session/meter-reader.ts";
import type { SourceClock } from "../time/source-clock.ts";

/** One fact of the meter, read back: what it was, what was wanted, what it is, and the octets that say so. */
export interface ReadBack {
  /** What it is, for people: `clock offset`. */
  readonly name: string;
  /** Logical name and attribute: `0.0.1.0.0.255/2`. */
  readonly object: string;
  readonly before?: string;
  readonly wanted?: string;
  readonly found: string;
  /** Whether it is as wanted; true where nothing in particular was. */
  readonly holds: boolean;
  readonly evidence: EvidenceRecord;
}

/** A fact as it is kept: with the hash of the octets that say so. */
export type KeptFact = Omit<ReadBack, "evidence"> & { readonly hash: string };

/** Something that people should know of, whatever became of the operation. */
export interface Finding {
  /** For example `clock-incident`, `configuration-drift`. */
  readonly code: string;
  readonly severity: "info" | "notice" | "alert";
  readonly sentence: string;
}

/**
 * How it ended: *done* and read back; *unchanged*, since all was as wanted; *not-now*, to be tried again at `againAt`;
 * *not-taken*, the meter has refused or does not show what was asked for.
 */
export type OperationOutcome = "done" | "unchanged" | "not-now" | "not-taken";

/** What an operation brought. */
export interface OperationResult {
  readonly outcome: OperationOutcome;
  readonly sentence: string;
  readonly readBack: readonly ReadBack[];
  readonly findings: readonly Finding[];
  /** Of *not-now*: the earliest moment on our clock, milliseconds since 1970 UTC. */
  readonly againAt?: number;
  /** What was read, as plain JSON, where reading was the point. */
  readonly data?: unknown;
  /** What of it is stored with the readings. */
  readonly read?: Partial<ReadResult>;
  /** The firmware that runs now, as the meter says. */
  readonly firmware?: string;
}

/** What a dry run shows: the same reads, no act. */
export interface OperationPreview {
  /** Whether a run would do anything on this meter. */
  readonly changes: boolean;
  readonly sentence: string;
  /** What is, and what is wanted where that is something else. */
  readonly readBack: readonly ReadBack[];
  readonly findings: readonly Finding[];
}

/** What is kept of one meter from one session to the next: JSON by topic, durable when `save` resolves. */
export interface MeterMemory {
  load(topic: string): Promise<unknown>;
  /** `undefined` forgets it. */
  save(topic: string, value: unknown): Promise<void>;
}

/** A meter that an operation speaks with: associated, and whatever needs a command token gets it when it is sealed. */
export interface OperationSession {
  readonly session: Pick<Session, "get" | "getList" | "requireSettable" | "set" | "call" | "negotiated">;
  /** Knows how registers of meters of this kind count. */
  readonly reader: Pick<MeterReader, "learnScales" | "scale" | "snapshot">;
  readonly meter: Meter;
  readonly profile: MeterProfile;
  readonly clock: SourceClock;
  readonly memory: MeterMemory;
  /** Marks the beginning of an exchange whose answer facts will rest on. */
  begin(): void;
  /** The octets that came in since `begin`. */
  evidence(): EvidenceRecord;
  /** Milliseconds since 1970 UTC on our clock. */
  now(): number;
  /** Waits, with the session open. @throws when the session is over */
  pause(milliseconds: number): Promise<void>;
}

/**
 * Something that a head-end does with a meter over an open, secured session (ADR 0027).
 *
 * An operation decides nothing about permission. `command` says what a manifest has to allow for it; who runs it brings
 * the tokens, and the custodian seals those acts and no others. Running it again does no harm: it looks first, and does
 * only what is still missing.
 */
export interface Operation<P = unknown> {
  /** In the words of the standard: `clock`, `activity-calendar`. */
  readonly name: string;
  /** One line for people, with the parameters. */
  words(parameters: P): string;
  readonly parameters: Field<P>;
  /** Parameters as JSON, for people to start from. */
  readonly example: Readonly<Record<string, unknown>>;
  /**
   * What meters of the profile have to be allowed; undefined where it only reads. Meters for which this is equal fit into
   * one manifest.
   *
   * @throws HeadEndError `operation-not-offered` where such meters have no object for it
   */
  command(parameters: P, profile: MeterProfile): CommandDocument | undefined;
  /** Looks, and changes nothing. */
  preview(on: OperationSession, parameters: P): Promise<OperationPreview>;
  /** Does it and reads back. @throws what the session throws: then it is not known how far it came */
  run(on: OperationSession, parameters: P): Promise<OperationResult>;
}

/** The class of command that an operation is on meters of a profile. */
export function commandClassOf<P>(operation: Operation<P>, parameters: P, profile: MeterProfile): CommandClass {
  const command = operation.command(parameters, profile);
  return command === undefined ? "C0" : classOf(command);
}
