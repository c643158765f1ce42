-- Campaigns that only look at each meter; how often a target was lost and tried again, and what was read of it.
alter table campaigns add column looks boolean not null default false;
alter table campaign_targets add column losses smallint not null default 0;
alter table campaign_targets add column data jsonb;

-- What meters write into their event logs: a row an event, its category as the meter's profile tells it.
create table meter_events (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  log text not null check (length(log) between 1 and 32),
  -- Time at the source.
  at timestamptz not null,
  code integer not null,
  category text not null,
  severity smallint not null,
  received_at timestamptz not null,
  evidence_id bigint not null,
  protection protection_grade not null,
  trust_at_capture trust_state not null,
  primary key (utility_id, island_id, meter_id, at, log, code),
  foreign key (utility_id, island_id, meter_id) references meters
);

create index meter_events_by_time on meter_events (utility_id, island_id, at);

-- Power quality: a row an instant of a meter, its channels side by side.
create table quality_readings (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  at timestamptz not null,
  channels smallint[] not null,
  readings double precision[] not null,
  received_at timestamptz not null,
  evidence_id bigint not null,
  protection protection_grade not null,
  trust_at_capture trust_state not null,
  primary key (utility_id, island_id, meter_id, at),
  check (cardinality(channels) = cardinality(readings)),
  foreign key (utility_id, island_id, meter_id) references meters
);

create index meter_events_by_evidence on meter_events using brin (evidence_id);
create index quality_readings_by_evidence on quality_readings using brin (evidence_id);
