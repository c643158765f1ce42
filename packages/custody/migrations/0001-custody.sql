-- Custody: every row belongs to a utility and an island; '*' is the installation itself.
-- Octets of keys stand here only sealed, bound to the place where they stand.

create table vault_roots (
  utility text not null,
  island text not null,
  kind text not null check (kind in ('file', 'passphrase')),
  -- scrypt's salt and costs for a passphrase, as JSON; empty for a file.
  parameters text not null,
  -- Sealed under the root key: opens with the right one only.
  proof bytea not null,
  created_ms bigint not null,
  primary key (utility, island)
);

create table vault_keys (
  utility text not null,
  island text not null,
  version integer not null check (version > 0),
  sealed bytea not null,
  primary key (utility, island, version)
);

create table named_secrets (
  utility text not null,
  island text not null,
  name text not null,
  sealed bytea not null,
  primary key (utility, island, name)
);

create table shipments (
  utility text not null,
  island text not null,
  manufacturer_key text not null,
  shipment text not null,
  manufacturer text not null,
  customer text not null,
  created text not null,
  meters integer not null check (meters >= 0),
  root text not null,
  imported_ms bigint not null,
  primary key (utility, island, manufacturer_key, shipment),
  unique (manufacturer_key, shipment)
);

create table meters (
  utility text not null,
  island text not null,
  system_title bytea not null check (octet_length(system_title) = 8),
  origin text not null check (origin in ('shipped', 'added')),
  logical_device_name text not null,
  serial_number text not null,
  model text not null,
  hardware_revision text not null,
  firmware text not null,
  profile text not null,
  security_suite smallint not null check (security_suite between 0 and 2),
  manufacturer_flag text not null,
  manufacturer_name text not null,
  holders text[] not null,
  shipment text,
  shipment_line integer,
  created_ms bigint not null,
  primary key (utility, island, system_title),
  -- A system title is unique in the world: no second owner, whatever the tenant.
  unique (system_title)
);

create unique index meters_by_shipment on meters (utility, island, shipment, shipment_line) where shipment is not null;

create table meter_keys (
  utility text not null,
  island text not null,
  system_title bytea not null,
  setup smallint not null,
  -- The standard's key_id: 0 GUEK, 1 GBEK, 2 GAK, 3 KEK.
  purpose smallint not null check (purpose between 0 and 3),
  version integer not null check (version > 0),
  state text not null check (state in ('pre-activation', 'active', 'suspended', 'deactivated', 'compromised', 'destroyed',
    'destroyed-compromised')),
  origin text not null check (origin in ('imported', 'generated', 'derived')),
  sealed bytea not null,
  created_ms bigint not null,
  proven_ms bigint,
  primary key (utility, island, system_title, setup, purpose, version),
  foreign key (utility, island, system_title) references meters
);

create unique index meter_keys_one_active on meter_keys (utility, island, system_title, setup, purpose)
  where state = 'active';

-- Keyed check values of unicast, authentication and master keys: proof that no two meters share one.
create table key_check_values (
  check_value bytea primary key check (octet_length(check_value) = 32),
  utility text not null,
  island text not null,
  system_title bytea not null,
  foreign key (utility, island, system_title) references meters
);

-- The next invocation counter that was never reserved, for each version of the unicast key.
create table send_counters (
  utility text not null,
  island text not null,
  system_title bytea not null,
  setup smallint not null,
  key_version integer not null,
  next bigint not null check (next > 0 and next <= 4294967295),
  primary key (utility, island, system_title, setup, key_version),
  foreign key (utility, island, system_title) references meters
);

create function counters_never_go_down() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or new.next < old.next then
    raise exception 'an invocation counter never goes down' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger send_counters_never_go_down before update or delete on send_counters
  for each row execute function counters_never_go_down();

-- Which counters of the meter have been accepted: the highest, and a bit for each of the 1 024 up to it.
create table receive_windows (
  utility text not null,
  island text not null,
  system_title bytea not null,
  setup smallint not null,
  key_version integer not null,
  highest bigint not null,
  seen bytea not null check (octet_length(seen) = 128),
  primary key (utility, island, system_title, setup, key_version),
  foreign key (utility, island, system_title) references meters
);

create table takeovers (
  utility text not null,
  island text not null,
  system_title bytea not null,
  setup smallint not null,
  takeover integer not null check (takeover > 0),
  -- Counts the writes: a writer that has not seen the last one is refused.
  revision integer not null check (revision > 0),
  journal text not null,
  opened_ms bigint not null,
  closed_ms bigint,
  primary key (utility, island, system_title, setup, takeover),
  foreign key (utility, island, system_title) references meters
);

create unique index takeovers_one_open on takeovers (utility, island, system_title, setup) where closed_ms is null;
