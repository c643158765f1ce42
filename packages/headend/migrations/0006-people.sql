-- Who may ask. Of secrets that we issue only a SHA-256 is kept.

create table people (
  utility_id smallint not null,
  island_id smallint not null,
  person_id uuid not null,
  name text not null,
  roles text[] not null,
  created_at timestamptz not null,
  disabled_at timestamptz,
  primary key (utility_id, island_id, person_id),
  foreign key (utility_id, island_id) references islands
);

create table sign_in_links (
  utility_id smallint not null,
  island_id smallint not null,
  token_hash bytea not null check (octet_length(token_hash) = 32),
  person_id uuid not null,
  reason text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (utility_id, island_id, token_hash),
  foreign key (utility_id, island_id, person_id) references people
);

create table person_sessions (
  utility_id smallint not null,
  island_id smallint not null,
  session_hash bytea not null check (octet_length(session_hash) = 32),
  person_id uuid not null,
  signed_in_at timestamptz not null,
  last_seen_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (utility_id, island_id, session_hash),
  foreign key (utility_id, island_id, person_id) references people
);

create table machine_tokens (
  utility_id smallint not null,
  island_id smallint not null,
  token_id uuid not null,
  token_hash bytea not null unique check (octet_length(token_hash) = 32),
  name text not null,
  created_by uuid,
  created_at timestamptz not null,
  expires_at timestamptz,
  last_used_at timestamptz,
  withdrawn_at timestamptz,
  primary key (utility_id, island_id, token_id),
  foreign key (utility_id, island_id) references islands
);

create table passkeys (
  utility_id smallint not null,
  island_id smallint not null,
  passkey_id uuid not null,
  person_id uuid not null,
  credential_id text not null unique,
  public_key bytea not null,
  sign_count bigint not null,
  transports text[] not null default '{}',
  name text not null,
  created_at timestamptz not null,
  last_used_at timestamptz,
  primary key (utility_id, island_id, passkey_id),
  foreign key (utility_id, island_id, person_id) references people
);

create table passkey_challenges (
  utility_id smallint not null,
  island_id smallint not null,
  challenge_id uuid not null,
  challenge text not null,
  person_id uuid,
  expires_at timestamptz not null,
  primary key (utility_id, island_id, challenge_id),
  foreign key (utility_id, island_id) references islands
);

create table drills (
  utility_id smallint not null,
  island_id smallint not null,
  drill_id uuid not null,
  state text not null check (state in ('starting', 'asking', 'reading-back', 'done', 'failed')),
  started_by text not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  report jsonb not null,
  primary key (utility_id, island_id, drill_id),
  foreign key (utility_id, island_id) references islands
);

create table settings (
  utility_id smallint not null,
  island_id smallint not null,
  name text not null,
  value jsonb not null,
  primary key (utility_id, island_id, name),
  foreign key (utility_id, island_id) references islands
);
