-- A finding is about exactly what it disputes (ADR 0073): the values of a session that came by a wrong clock may lie apart, and what
-- lies between is good.
alter table plausibility_findings
  -- The parts of its time that it is about; all of it where null.
  add column stretches tstzmultirange,
  -- When it showed, at the source: findings of one cause bear one moment. With the end of its time where null.
  add column seen_at timestamptz,
  drop constraint plausibility_findings_concerns_check,
  add check (concerns in ('intervals', 'registers', 'quality'));

-- Two findings may begin at one moment and end at others, or be about other rows, or be of two causes.
do $$
declare
  old text;
begin
  select conname into strict old from pg_constraint where conrelid = 'plausibility_findings'::regclass and contype = 'u';
  execute format('alter table plausibility_findings drop constraint %I', old);
end $$;
create unique index plausibility_findings_once on plausibility_findings
  (utility_id, island_id, rule, subject_kind, subject, from_at, to_at, concerns, seen_at) nulls not distinct;

create index plausibility_findings_seen on plausibility_findings
  (utility_id, island_id, meter_id, (coalesce(seen_at, to_at))) where meter_id is not null and severity <> 'info';

-- The number of the newest evidence that the decided values rested on: what came later has been seen by nobody.
alter table dispute_decisions add column seen_to bigint;
update dispute_decisions d set seen_to = coalesce(
  (select max(e.evidence_id) from evidence e
   where (e.utility_id, e.island_id) = (d.utility_id, d.island_id) and e.received_at <= d.decided_at), 0);
alter table dispute_decisions alter column seen_to set not null;
