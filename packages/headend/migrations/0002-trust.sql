-- How far each source is trusted (trust.md 2.3), and what its takeover has shown so far (the custodian's view of it).

create type trust_state as enum (
  'held', 'provisional', 'trusted', 'degraded', 'quarantined', 'distrusted', 'retired'
);

-- Each change, never altered. `effective` is time at the source: an interval is judged by the state in force when the
-- meter captured it. Lowering may be effective before it was decided.
create table trust_history (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  change_id bigint generated always as identity,
  decided_at timestamptz not null,
  effective timestamptz not null,
  state trust_state not null,
  reason text not null,
  sentence text not null,
  primary key (utility_id, island_id, meter_id, change_id),
  foreign key (utility_id, island_id, meter_id) references meters
);

-- What holds now; one row a meter.
create table trust (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  state trust_state not null,
  reason text not null,
  sentence text not null,
  since timestamptz not null,
  primary key (utility_id, island_id, meter_id),
  foreign key (utility_id, island_id, meter_id) references meters
);

create table takeovers (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  phase text not null,
  step text not null,
  grade text not null check (grade in ('none', 'exposed', 'shielded')),
  verdict text not null,
  proven_at timestamptz,
  sentence text not null,
  -- [{ step, at, outcome, detail }], the custodian's history of it.
  steps jsonb not null default '[]',
  updated_at timestamptz not null,
  primary key (utility_id, island_id, meter_id),
  foreign key (utility_id, island_id, meter_id) references meters
);
