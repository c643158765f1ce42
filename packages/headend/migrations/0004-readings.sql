-- What meters said, never overwritten.

-- What a channel number means: the same for all meters, so that a reading carries two octets and no text.
create table channels (
  utility_id smallint not null,
  island_id smallint not null,
  channel_id smallint not null,
  obis text not null,
  name text not null,
  unit text not null,
  primary key (utility_id, island_id, channel_id),
  unique (utility_id, island_id, obis, unit),
  foreign key (utility_id, island_id) references islands
);

create table interval_readings (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  channel_id smallint not null,
  -- End of the interval, time at the source.
  at timestamptz not null,
  value double precision not null,
  status integer,
  evidence_id bigint not null,
  protection protection_grade not null,
  trust_at_capture trust_state not null,
  primary key (utility_id, island_id, meter_id, channel_id, at),
  foreign key (utility_id, island_id, channel_id) references channels
);

-- Which stretches of a meter's profile have been read, whether or not an entry was there: an outage leaves no entry,
-- and nobody asks for it for ever.
create table interval_coverage (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  covered tstzmultirange not null default '{}',
  primary key (utility_id, island_id, meter_id),
  foreign key (utility_id, island_id, meter_id) references meters
);

create table register_readings (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  obis text not null,
  at timestamptz not null,
  received_at timestamptz not null,
  number_value double precision,
  text_value text,
  unit text,
  status text,
  source text not null check (source in ('session', 'push')),
  evidence_id bigint not null,
  protection protection_grade not null,
  trust_at_capture trust_state not null,
  primary key (utility_id, island_id, meter_id, obis, at, evidence_id),
  check ((number_value is null) <> (text_value is null)),
  foreign key (utility_id, island_id, meter_id) references meters
);

-- The newest of each, for the page: what one meter shows in one line.
create table meter_latest (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  power_w double precision,
  energy_wh double precision,
  supply text not null default 'unknown' check (supply in ('connected', 'disconnected', 'unknown')),
  supply_at timestamptz,
  reading_at timestamptz,
  evidence_hash bytea,
  protection protection_grade,
  contact_at timestamptz,
  read_ok_at timestamptz,
  -- How many intervals are stored, and how many of them were captured while their source was trusted.
  interval_count bigint not null default 0,
  trusted_interval_count bigint not null default 0,
  clock_offset_seconds double precision,
  primary key (utility_id, island_id, meter_id),
  foreign key (utility_id, island_id, meter_id) references meters
);

-- Who pushes to us. Strangers are kept in memory only, bounded; these are meters we know.
create table push_sources (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  address text not null,
  transport text not null check (transport in ('tcp', 'udp', 'gateway')),
  accepted bigint not null default 0,
  refused bigint not null default 0,
  last_refusal text,
  protection protection_grade,
  first_seen timestamptz not null,
  last_seen timestamptz not null,
  primary key (utility_id, island_id, meter_id, address, transport),
  foreign key (utility_id, island_id, meter_id) references meters
);
