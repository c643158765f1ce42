import {
  exactly,
  type Field,
  type FieldValue,
  hexOctets,
  instant,
  kinds,
  listOf,
  matching,
  object,
  optional,
  text,
  whole,
} from "../canonical/field.ts";
import { type Operation, operation } from "../operation/operation.ts";

/** The most targets of one manifest. */
export const MAX_TARGETS = 1_000_000;

/** A utility or an island: text without control characters. */
export const placeName: Field<string> = matching(/^(?!\*$)[^\p{Cc}]{1,64}$/u, "1 to 64 characters of text");
/** The name of a person or a service. */
export const principalName: Field<string> = matching(/^[^\p{Cc}]{1,128}$/u, "1 to 128 characters of text");

const dispersion = kinds({
  /** All targets at the window's beginning, wave by wave. */
  none: {},
  /** MC-12: each target later by a geometric delay that follows from the seed and its system title. */
  geometric: { meanSeconds: whole(1, 3600), capSeconds: whole(1, 7200), seed: hexOctets(16, 32) },
  /** The delays that its lines say, none above the cap: for reconnecting, a few of each transformer a minute. */
  listed: { capSeconds: whole(1, 86_400) },
});

const wave = object({ targets: whole(1, MAX_TARGETS), soakSeconds: whole(0, 30 * 86_400) });
const operationField: Field<Operation> = operation;
const waves = listOf(wave, 32);

/** The first line of a manifest: everything but the targets. */
export const manifestHeader = object({
  format: exactly("meterkeep-manifest-1"),
  utility: placeName,
  island: placeName,
  operation: operationField,
  /** How many lines follow. */
  targets: whole(1, MAX_TARGETS),
  /** The sum over the targets: what could be switched off, in watts. */
  loadAtRiskW: whole(0, Number.MAX_SAFE_INTEGER),
  notBefore: instant,
  notAfter: instant,
  /** The person who asks; never one who approves. */
  requester: principalName,
  /** Why, in words; a code of the regulator's first where there is one. */
  reason: text(512),
  /** The work order behind it; empty where there is none. */
  workOrder: text(128),
  createdAt: instant,
  dispersion,
  /** How many targets each wave has, and how long it is watched before the next one. Their sum is `targets`. */
  waves,
  /** How many of the targets are not believed, their trust scores being low (MC-07); absent where all are. */
  doubted: optional(whole(1, MAX_TARGETS)),
  /** Makes two manifests that ask for the same thing two. */
  nonce: hexOctets(16, 16),
});
export type ManifestHeader = FieldValue<typeof manifestHeader>;
export type Dispersion = FieldValue<typeof dispersion>;

/** A line of a manifest: one meter. */
export const manifestTarget = object({
  /** 16 upper-case hex digits; lines are in their order. */
  systemTitle: matching(/^[0-9A-F]{16}$/, "a system title: 16 upper-case hex digits"),
  /** Which of the waves it is in, from 0. */
  wave: whole(0, 31),
  /** How much later than its wave, in seconds. */
  delaySeconds: whole(0, 86_400),
  feeder: text(64),
  transformer: text(64),
  /** What it draws, in watts: the 95th percentile or the last hour's mean, whichever the head-end has. */
  loadW: whole(0, 10_000_000),
});
export type ManifestTarget = FieldValue<typeof manifestTarget>;
