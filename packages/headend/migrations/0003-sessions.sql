-- Sessions with meters, the ladder of each, and the octets that readings rest on.

create type protection_grade as enum ('authenticated', 'confidential', 'none');

create table sessions (
  utility_id smallint not null,
  island_id smallint not null,
  session_id uuid not null,
  meter_id integer not null,
  purpose text not null check (purpose in ('takeover', 'read', 'push', 'verify')),
  outcome text not null check (outcome in ('running', 'done', 'lost', 'refused', 'failed')),
  code text,
  sentence text not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  octets_sent integer not null default 0,
  octets_received integer not null default 0,
  step_count smallint not null default 0,
  -- Epoch of the lease under which it ran: tells which of two workers' sessions was the fenced one.
  epoch bigint not null default 0,
  primary key (utility_id, island_id, session_id),
  foreign key (utility_id, island_id, meter_id) references meters
);

create index sessions_by_meter on sessions (utility_id, island_id, meter_id, started_at desc);

create index sessions_by_age on sessions (utility_id, island_id, ended_at);

-- The ladder of a session: parallel arrays, one element a step, so that a session costs one row. Ladders of ordinary
-- reading sessions are thinned out later; the session row and the evidence stay.
create table ladders (
  utility_id smallint not null,
  island_id smallint not null,
  session_id uuid not null,
  at timestamptz[] not null,
  to_meter boolean[] not null,
  step text[] not null,
  summary text[] not null,
  octets bytea[] not null,
  plain bytea[] not null,
  protection text[] not null,
  evidence bytea[] not null,
  primary key (utility_id, island_id, session_id),
  foreign key (utility_id, island_id, session_id) references sessions on delete cascade
);

-- Protected APDUs exactly as they came in (several in their order where the answer came in blocks; each says its own
-- length). `hash` is SHA-256 over `octets`.
create table evidence (
  utility_id smallint not null,
  island_id smallint not null,
  evidence_id bigint generated always as identity,
  hash bytea not null check (octet_length(hash) = 32),
  meter_id integer not null,
  session_id uuid,
  push_source text,
  push_transport text check (push_transport in ('tcp', 'udp', 'gateway')),
  octets bytea not null,
  plain bytea,
  protection protection_grade not null,
  received_at timestamptz not null,
  trust_at_capture trust_state not null,
  primary key (utility_id, island_id, evidence_id),
  unique (utility_id, island_id, hash),
  foreign key (utility_id, island_id, meter_id) references meters
);

create index evidence_by_session on evidence (utility_id, island_id, session_id) where session_id is not null;
