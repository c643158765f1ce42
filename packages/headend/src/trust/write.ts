import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { TrustChangeRecord } from "../work/finish.ts";

/** Writes changes of trust and what holds now, inside the caller's transaction. The ledger has them before. */
export async function writeTrust(
  sql: Sql,
  scope: Scope,
  changes: readonly { readonly meter: MeterId; readonly change: TrustChangeRecord }[],
): Promise<void> {
  if (changes.length === 0) return;
  await sql.query(WRITE_TRUST, [
    ...scope.place,
    changes.map(({ meter }) => meter),
    changes.map(({ change }) => new Date(change.decidedAt)),
    changes.map(({ change }) => new Date(change.effective)),
    changes.map(({ change }) => change.state),
    changes.map(({ change }) => change.reason),
    changes.map(({ change }) => change.sentence),
  ]);
}

const WRITE_TRUST = `
  with changes as (
    select * from unnest($3::integer[], $4::timestamptz[], $5::timestamptz[], $6::trust_state[], $7::text[], $8::text[])
      as c(meter_id, decided_at, effective, state, reason, sentence)
  ), history as (
    insert into trust_history (utility_id, island_id, meter_id, decided_at, effective, state, reason, sentence)
    select $1, $2, c.* from changes c
  )
  update trust t set state = c.state, reason = c.reason, sentence = c.sentence, since = c.decided_at
  from changes c where t.utility_id = $1 and t.island_id = $2 and t.meter_id = c.meter_id`;
