import type { TakeoverStage } from "@meterkeep/api";
import type { TakeoverPhase, TakeoverState, TakeoverStep, TakeoverVerdict } from "@meterkeep/api/custodian";
import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";

/** The custodian's phase and verdict as the page's one word. */
export function takeoverStage(phase: TakeoverPhase, verdict: TakeoverVerdict): TakeoverStage {
  if (phase === "not-applicable" || phase === "left") return phase;
  switch (verdict) {
    case "proven":
      return "proven";
    case "keeps-factory-keys":
    case "keeps-master-key":
    case "identity-differs":
    case "refuses-key-change":
      return "refused";
    case "unknown":
      return "probing";
    case "pending":
      return phase === "not-started" ? "shipped" : phase === "probing" ? "probing" : "under-way";
    default:
      return verdict satisfies never;
  }
}

/** The steps of a takeover in their order, each as one sentence about what it shows. Not every meter has something for each. */
export const TAKEOVER_LADDER: readonly {
  readonly step: TakeoverStep;
  readonly sentence: string;
  readonly every: boolean;
}[] = [
  always("factory-association", "Associates under the factory keys and reads its counter."),
  always("identity-check", "Names itself as the shipment does."),
  always("transfer-working-keys", "Takes new encryption, authentication and broadcast keys."),
  always("working-keys-association", "Associates anew, which proves that it uses them."),
  always("transfer-master", "Takes a new master key, alone and last."),
  always("prove-master", "Accepts a key wrapped under the new master, which proves that it has it."),
  always("refuse-old-master", "Refuses a key wrapped under the factory's master."),
  ifAny("raise-policy", "Asks for protected requests by itself, and says so under its new keys."),
  ifAny("find-clients", "Tells which clients open it with a secret of their own, and which security setups it has."),
  ifAny("change-secret", "Takes new passwords and secrets for clients without keys."),
  always("refuse-factory-keys", "Refuses an association under the factory's keys."),
  ifAny("prove-secret", "Opens for such a client with the new secret."),
  ifAny("agree-master", "Agrees with the custodian on a new master key, each by a signature."),
  ifAny("change-child-key", "Gives the devices at its M-Bus channels new keys."),
  ifAny("refuse-old-secret", "Refuses the secret that the factory gave the client."),
];

function always(step: TakeoverStep, sentence: string) {
  return { step, sentence, every: true };
}

function ifAny(step: TakeoverStep, sentence: string) {
  return { step, sentence, every: false };
}

/** Writes the custodian's view of takeovers, inside the caller's transaction. */
export async function writeTakeovers(
  sql: Sql,
  scope: Scope,
  views: readonly { readonly meter: MeterId; readonly state: TakeoverState }[],
): Promise<void> {
  if (views.length === 0) return;
  await sql.query(PUT_TAKEOVERS, [
    ...scope.place,
    views.map(({ meter }) => meter),
    views.map(({ state }) => state.phase),
    views.map(({ state }) => state.step),
    views.map(({ state }) => state.grade),
    views.map(({ state }) => state.verdict),
    views.map(({ state }) => (state.provenAt === undefined ? null : new Date(state.provenAt))),
    views.map(({ state }) => state.sentence),
    views.map(({ state }) => JSON.stringify(state.steps)),
  ]);
}

const PUT_TAKEOVERS = `
  update takeovers t set phase = v.phase, step = v.step, grade = v.grade, verdict = v.verdict, proven_at = v.proven_at,
    sentence = v.sentence, steps = v.steps::jsonb, updated_at = now()
  from unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::text[], $10::text[])
    as v(meter_id, phase, step, grade, verdict, proven_at, sentence, steps)
  where t.utility_id = $1 and t.island_id = $2 and t.meter_id = v.meter_id`;
