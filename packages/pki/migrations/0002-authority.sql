-- An authority whose key is elsewhere (a root in a drawer) has no key name of its own here.
comment on column authorities.key_name is 'A name in the vault, a label in a token, or offline: and its identifier';

-- Serial numbers that were revoked and whose certificates this database does not have: it was restored from before they
-- were issued. Their lists name them all the same.
create table revocations_alone (
  authority bytea not null references authorities (authority),
  serial bytea not null check (octet_length(serial) between 8 and 20),
  shard integer not null check (shard >= 0),
  revoked_ms bigint not null,
  reason text not null,
  primary key (authority, serial)
);

create index certificates_by_order on certificates (ordered_ms desc, authority, serial);
create index certificates_of_meters on certificates (authority, system_title) where system_title is not null;

-- Which authority may speak for which system titles, signed by the scheme's authority. A number is never given twice.
create table assignment_tables (
  number integer primary key check (number > 0),
  octets bytea not null,
  added_ms bigint not null
);

-- One-time passwords of enrolment: their hashes, what each is good for, and when it was used.
create table enrolment_passwords (
  hash bytea primary key check (octet_length(hash) = 32),
  name text not null,
  authority bytea not null references authorities (authority),
  profile text not null,
  -- What the certificate will say, whatever the request asks: JSON.
  subject text not null,
  made_by text not null,
  made_ms bigint not null,
  ends_ms bigint not null,
  used_ms bigint
);

-- Revocations in stages: what is to be revoked, how far each has come.
create table revocation_plans (
  id text primary key,
  authority bytea not null references authorities (authority),
  reason text not null,
  planned_by text not null,
  planned_ms bigint not null,
  -- refuse, remove, cut: the stage it has come to, and whether that stands, runs or is done.
  stage text not null check (stage in ('refuse', 'remove', 'cut')),
  state text not null check (state in ('planned', 'running', 'stopped', 'done')),
  meters integer not null,
  finished integer not null default 0
);
create unique index revocation_plans_one_open on revocation_plans (authority) where state <> 'done' or stage <> 'cut';

-- Meters from which certificates of clients are to be removed.
create table certificate_removals (
  plan text not null references revocation_plans (id),
  system_title bytea not null check (octet_length(system_title) = 8),
  utility text not null,
  island text not null,
  finished_ms bigint,
  outcome text,
  check ((finished_ms is null) = (outcome is null)),
  primary key (plan, system_title)
);
create index certificate_removals_open on certificate_removals (plan, system_title) where finished_ms is null;

-- Islands that are cut: nothing is opened to their meters while they are.
create table island_cuts (
  plan text not null references revocation_plans (id),
  utility text not null,
  island text not null,
  cut_ms bigint not null,
  lifted_ms bigint,
  primary key (plan, utility, island)
);
