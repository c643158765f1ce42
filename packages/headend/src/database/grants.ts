/**
 * What the head-end may do at run time, table by table: it changes only the columns that do change, and what meters said and
 * what was decided about them it can only add to. Deleted is what has a time to be kept (readings with their evidence,
 * ladders and sessions) and what opens a door and is used up (links, cookies, passkeys, challenges). The schema belongs to another role.
 */
export const HEADEND_GRANTS = {
  utilities: "select, insert",
  islands: "select, insert",
  feeders: "select, insert, update (name, path, substation_id, substation_name, position)",
  transformers: "select, insert, update (feeder_id, rated_kva)",
  meters: `select, insert, update (feeder_id, transformer_id, label, phase, role, position, host, port, depot_host,
    depot_port)`,
  trust: "select, insert, update (state, reason, sentence, since)",
  trust_history: "select, insert",
  takeovers: "select, insert, update (phase, step, grade, verdict, proven_at, sentence, steps, updated_at)",
  sessions: "select, insert, delete",
  ladders: "select, insert, delete",
  // The same octets twice: the row is touched, so that the statement gives its number.
  evidence: "select, insert, update (hash), delete",
  channels: "select, insert",
  interval_readings: "select, insert, delete",
  meter_days: "select, insert, delete",
  interval_corrections: "select, insert, delete",
  register_readings: "select, insert, delete",
  sla_marks: "select, insert",
  interval_coverage: "select, insert, update (covered)",
  meter_latest: `select, insert, update (power_w, energy_wh, supply, supply_at, evidence_hash, protection, read_ok_at,
    reading_at, contact_at, interval_count, trusted_interval_count, clock_offset_seconds)`,
  push_sources: "select, insert, update (accepted, refused, last_refusal, protection, last_seen)",
  work: "select, insert, update (lane, due_at, attempts, last_code, on_demand, epoch, leased_by, leased_until)",
  people: "select, insert",
  sign_in_links: "select, insert, update (used_at), delete",
  person_sessions: "select, insert, update (last_seen_at), delete",
  machine_tokens: "select, insert, update (withdrawn_at, last_used_at)",
  passkeys: "select, insert, update (sign_count, last_used_at), delete",
  passkey_challenges: "select, insert, delete",
  drills: "select, insert, update (state, ended_at, report)",
  operation_memory: "select, insert, update (value, kept_at), delete",
} as const;
