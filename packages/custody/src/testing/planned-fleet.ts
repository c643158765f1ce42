import type { Client } from "pg";

const [UTILITY, ISLAND] = ["utility-1", "island-1"];
const COLUMNS = "utility, island, system_title, setup";

/** A fleet that policies look through. */
export interface PlannedFleet {
  readonly meters: number;
  /** Security setups of each meter. */
  readonly setups: number;
  /** When the keys in use were made. */
  readonly madeAt: number;
}

/**
 * Writes rows of meters whose every setup was taken over and rotated once, and that were enrolled once, as the server makes them: for questions that ask rows alone,
 * whose keys nobody opens. As the server's superuser, since it looks at no foreign key.
 */
export async function addPlannedFleet(admin: Client, { meters, setups, madeAt }: PlannedFleet): Promise<void> {
  const numbers = `generate_series(1, ${meters}) n, generate_series(0, ${setups - 1}) s`;
  const place = `'${UTILITY}', '${ISLAND}', ${titleOf("n")}, s::smallint`;
  await admin.query("set session_replication_role = replica");
  for (const statement of [
    `insert into meters (utility, island, system_title, origin, logical_device_name, serial_number, model, hardware_revision,
        firmware, profile, security_suite, manufacturer_flag, manufacturer_name, holders, shipment, shipment_line, created_ms, mac)
      select '${UTILITY}', '${ISLAND}', ${titleOf("n")}, 'shipped', 'TST' || n, n::text, 'T-100', 'A', '1.0', 'idis-p2', 1, 'TST',
        'Test Meters', '{Test Meters}', '00112233445566778899aabbccddeeff', n, ${madeAt}, sha256(int8send(n))
      from generate_series(1, ${meters}) n`,
    `insert into meter_keys (${COLUMNS}, purpose, version, state, origin, sealed, created_ms, proven_ms, changed_ms)
      select ${place}, p, v, case v when 1 then 'destroyed' else 'active' end, 'generated',
        case v when 1 then '' else sha256(int8send(n)) || '\\x${"5a".repeat(17)}'::bytea end, ${madeAt} - (2 - v) * 63072000000,
        ${madeAt}, ${madeAt}
      from ${numbers}, generate_series(1, 2) v, generate_series(0, 3) p`,
    `insert into takeovers (${COLUMNS}, takeover, revision, journal, opened_ms, closed_ms, mac)
      select ${place}, t, 1, '{}', ${madeAt}, ${madeAt}, sha256(int8send(n)) from ${numbers}, generate_series(1, 2) t`,
    `insert into send_counters (${COLUMNS}, key_version, next, mac)
      select ${place}, v, v * 5000, sha256(int8send(n)) from ${numbers}, generate_series(1, 2) v`,
    `insert into rotations (${COLUMNS}, rotation, cause, purposes, risk, planned_ms, planned_by, begun_ms, ended_ms, outcome)
      select ${place}, 1, 'age', '{0,1,2,3}', 24, ${madeAt}, 'policy', ${madeAt}, ${madeAt}, 'proven' from ${numbers}`,
    `insert into enrolments (utility, island, system_title, enrolment, cause, risk, planned_ms, planned_by, begun_ms, ended_ms, outcome,
        expires_ms)
      select '${UTILITY}', '${ISLAND}', ${titleOf("n")}, 1, 'first', 0, ${madeAt}, 'policy', ${madeAt}, ${madeAt}, 'enrolled',
        ${madeAt} + 63072000000
      from generate_series(1, ${meters}) n`,
  ])
    await admin.query(statement);
  await admin.query("set session_replication_role = origin");
  await admin.query("analyze");
}

/** The keys in use of the first so many meters were made so much earlier, in every setup. */
export async function ageKeys(admin: Client, meters: number, milliseconds: number): Promise<void> {
  await admin.query(
    `update meter_keys set created_ms = created_ms - $1 where state = 'active' and system_title <= ${titleOf("$2::int")}`,
    [milliseconds, meters],
  );
  await admin.query("analyze");
}

/** The counters of the first so many meters under the key in use have gone so far, in every setup; 5000 were used under others. */
export async function useCounters(admin: Client, meters: number, next: number): Promise<void> {
  await admin.query(
    `update send_counters set next = $1 where key_version = 2 and next < $1 and system_title <= ${titleOf("$2::int")}`,
    [next, meters],
  );
  await admin.query("analyze");
}

function titleOf(number: string): string {
  return `decode('545354' || lpad(to_hex(${number}), 10, '0'), 'hex')`;
}
