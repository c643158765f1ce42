-- A value that comes into a time that somebody has decided about has been seen by nobody (ADR 0073): a finding of its own says so.
alter table plausibility_findings
  -- It disputes only what rests on evidence of a higher number; all of its time where null.
  add column newer_than bigint;

drop index plausibility_findings_once;
create unique index plausibility_findings_once on plausibility_findings
  (utility_id, island_id, rule, subject_kind, subject, from_at, to_at, concerns, seen_at, newer_than) nulls not distinct;
