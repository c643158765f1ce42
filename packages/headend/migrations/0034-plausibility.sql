-- What is not plausible in what meters say (ADR 0048): found by a rule, about a meter, a transformer or a cohort, and about a
-- stretch of time at the source. Nothing is taken back: what follows from a finding fades.
create table plausibility_findings (
  utility_id smallint not null,
  island_id smallint not null,
  finding_id bigint generated always as identity,
  rule text not null,
  subject_kind text not null check (subject_kind in ('meter', 'transformer', 'cohort')),
  -- The meter's number, the transformer's name, or what the cohort has in common.
  subject text not null,
  meter_id integer,
  from_at timestamptz not null,
  to_at timestamptz not null,
  found_at timestamptz not null,
  severity text not null check (severity in ('info', 'warn', 'alert', 'critical')),
  confidence real not null check (confidence > 0 and confidence <= 1),
  -- Whether the meter's values of that time are disputed by it.
  disputes boolean not null,
  sentence text not null,
  data jsonb not null,
  primary key (utility_id, island_id, finding_id),
  unique (utility_id, island_id, rule, subject_kind, subject, from_at),
  check ((subject_kind = 'meter') = (meter_id is not null)),
  foreign key (utility_id, island_id, meter_id) references meters
);
create index plausibility_findings_of_meter on plausibility_findings (utility_id, island_id, meter_id, to_at)
  where meter_id is not null;

-- What the rules remember of meters and transformers from one day to the next.
create table plausibility_history (
  utility_id smallint not null,
  island_id smallint not null,
  subject_kind text not null check (subject_kind in ('meter', 'transformer')),
  subject text not null,
  day date not null,
  state jsonb not null,
  primary key (utility_id, island_id, subject_kind, subject)
);

-- Days that were judged, and what that cost.
create table plausibility_days (
  utility_id smallint not null,
  island_id smallint not null,
  kind text not null check (kind in ('simulated', 'real')),
  day date not null,
  judged_at timestamptz not null,
  meters integer not null,
  findings integer not null,
  cpu_milliseconds integer not null,
  primary key (utility_id, island_id, kind, day)
);

-- Days of meters, drawn at random, that are asked for once more, and whether the meter said the same.
create table rereads (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  day date not null,
  asked_at timestamptz not null,
  held_values integer not null,
  verdict text check (verdict in ('same', 'differs', 'unanswered')),
  judged_at timestamptz,
  primary key (utility_id, island_id, meter_id, day),
  foreign key (utility_id, island_id, meter_id) references meters
);
create index rereads_open on rereads (utility_id, island_id) where verdict is null;

alter table interval_coverage
  -- Held, and to be asked for once more.
  add column recheck tstzmultirange not null default '{}';
