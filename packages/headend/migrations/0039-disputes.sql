-- What people decided about values that are in dispute (ADR 0073): of a meter and a time at the source, behind `from_at` up to
-- `to_at`, and of what they have seen. Nothing is taken back: the newest decision that has seen a dispute is the one that counts.
create table dispute_decisions (
  utility_id smallint not null,
  island_id smallint not null,
  decision_id bigint generated always as identity,
  meter_id integer not null,
  from_at timestamptz not null,
  to_at timestamptz not null check (to_at > from_at),
  verdict text not null check (verdict in ('accepted', 'rejected')),
  -- Findings, and the evidence of values that contradict those that are held.
  findings bigint[] not null,
  contradictions bigint[] not null,
  decided_at timestamptz not null,
  by_whom text not null,
  reason text not null check (length(reason) between 1 and 400),
  -- Its entry in the head-end's ledger.
  sequence bigint not null,
  primary key (utility_id, island_id, decision_id),
  foreign key (utility_id, island_id, meter_id) references meters
);
create index dispute_decisions_of_meter on dispute_decisions (utility_id, island_id, meter_id, to_at);

-- Which rows of a meter a finding is about, where it is not all of that time.
alter table plausibility_findings add column concerns text check (concerns in ('quality'));
