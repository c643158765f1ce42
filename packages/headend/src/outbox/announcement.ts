import type { ProtectionGrade, TrustStateName } from "@meterkeep/api";
import type { CommandOutcome } from "../campaign/command-sessions.ts";
import { evidenceOf, type ReadResult } from "../reading/result.ts";
import { type TrustPeriod, trustAt } from "../trust/trust-at.ts";
import type { TrustChangeRecord } from "../work/finish.ts";

/** What an island tells of one meter; `body` is JSON. */
export interface Announcement {
  readonly kind: AnnouncementKind;
  /** System title. */
  readonly meter: string;
  readonly body: string;
}

/** `readings`: {@link AnnouncedReadings}; the others as {@link trustAnnounced} and {@link commandAnnounced} write them. */
export const ANNOUNCEMENT_KINDS = ["readings", "trust", "command"] as const;
export type AnnouncementKind = (typeof ANNOUNCEMENT_KINDS)[number];

/** An announcement with its place in what its origin has told. */
export interface NumberedAnnouncement extends Announcement {
  /** From 1, without gaps. */
  readonly sequence: number;
  /** Milliseconds since 1970 UTC on the origin's clock. */
  readonly at: number;
}

/** What came from a meter in one go. Instants are milliseconds since 1970 UTC at the source; an evidence is named by its place in `evidence`. */
export interface AnnouncedReadings {
  readonly evidence: readonly { readonly hash: string; readonly protection: ProtectionGrade }[];
  readonly channels: readonly {
    readonly obis: string;
    readonly unit: string;
    readonly values: readonly (readonly [
      at: number,
      value: number,
      status: number | null,
      trustAtCapture: TrustStateName,
      evidence: number,
    ])[];
  }[];
  readonly registers: readonly {
    readonly obis: string;
    readonly value: number | string;
    readonly unit: string | null;
    readonly at: number;
    readonly trustAtCapture: TrustStateName;
    readonly evidence: number;
  }[];
}

/** Announces that a meter is believed, or is not any more. */
export function trustAnnounced(meter: string, change: TrustChangeRecord): Announcement {
  const { state, reason, decidedAt: at, effective } = change;
  return { kind: "trust", meter, body: JSON.stringify({ state, reason, at, effective }) };
}

/** Announces what became of a command. */
export function commandAnnounced(meter: string, outcome: CommandOutcome): Announcement {
  const { campaign, at, state, sentence, rule, supply } = outcome;
  return { kind: "command", meter, body: JSON.stringify({ campaign, at, state, sentence, rule, supply }) };
}

/** Announces what a meter brought; nothing where it brought nothing. */
export function readingsAnnounced(
  meter: string,
  read: ReadResult | undefined,
  trustHistory: readonly TrustPeriod[],
): readonly Announcement[] {
  if (read === undefined || read.intervals.length + read.registers.length === 0) return [];
  const evidence = evidenceOf(read);
  const placeOf = new Map(evidence.map((record, at) => [record, at]));
  const channels = new Map<
    string,
    { obis: string; unit: string; values: AnnouncedReadings["channels"][number]["values"][number][] }
  >();
  for (const { obis, unit, at, value, status, evidence: record } of read.intervals) {
    const key = `${obis} ${unit}`;
    const channel = channels.get(key) ?? { obis, unit, values: [] };
    channels.set(key, channel);
    channel.values.push([at, value, status ?? null, trustAt(trustHistory, at), placeOf.get(record) ?? 0]);
  }
  const body: AnnouncedReadings = {
    evidence: evidence.map(({ hash, protection }) => ({ hash: Buffer.from(hash).toString("hex"), protection })),
    channels: [...channels.values()],
    registers: read.registers.map(({ obis, value, unit, at, evidence: record }) => ({
      obis,
      value,
      unit: unit ?? null,
      at,
      trustAtCapture: trustAt(trustHistory, at),
      evidence: placeOf.get(record) ?? 0,
    })),
  };
  return [{ kind: "readings", meter, body: JSON.stringify(body) }];
}
