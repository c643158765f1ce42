-- Who there is: utilities (tenants), islands, the grid, and meters. Every table of this database starts its keys with
-- (utility_id, island_id): a row belongs to one tenant and one cell of it, from the first migration on.

create table utilities (
  utility_id smallint generated always as identity primary key,
  name text not null unique check (name <> '')
);

create table islands (
  utility_id smallint not null references utilities,
  island_id smallint not null,
  name text not null check (name <> ''),
  primary key (utility_id, island_id),
  unique (utility_id, name)
);

create table feeders (
  utility_id smallint not null,
  island_id smallint not null,
  feeder_id text not null,
  name text not null,
  substation_id text not null,
  substation_name text not null,
  path text not null check (path in ('wan', 'depot')),
  position smallint not null,
  primary key (utility_id, island_id, feeder_id),
  foreign key (utility_id, island_id) references islands
);

create table transformers (
  utility_id smallint not null,
  island_id smallint not null,
  transformer_id text not null,
  feeder_id text not null,
  rated_kva double precision not null check (rated_kva > 0),
  primary key (utility_id, island_id, transformer_id),
  foreign key (utility_id, island_id, feeder_id) references feeders
);

create table meters (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer generated always as identity,
  -- The only identity that ciphering binds; unique in the world, hence not only within a tenant.
  system_title bytea not null unique check (octet_length(system_title) = 8),
  kind text not null check (kind in ('simulated', 'real')),
  role text not null check (role in ('home', 'transformer', 'attached')),
  label text not null,
  profile text not null,
  security_suite smallint not null check (security_suite between 0 and 2),
  manufacturer text not null,
  logical_device_name text,
  serial_number text,
  model text,
  hardware_revision text,
  firmware text,
  shipment text,
  holders text[] not null default '{}',
  feeder_id text,
  transformer_id text,
  phase text,
  position integer not null default 0,
  -- Where it is read, and where the depot reaches it before it is in the field.
  host text,
  port integer check (port between 1 and 65535),
  depot_host text,
  depot_port integer check (depot_port between 1 and 65535),
  -- Where a real meter's pushes come from, and how positional ones are laid out.
  push_source text,
  push_layout text,
  imported_at timestamptz not null,
  primary key (utility_id, island_id, meter_id),
  foreign key (utility_id, island_id) references islands,
  foreign key (utility_id, island_id, feeder_id) references feeders,
  foreign key (utility_id, island_id, transformer_id) references transformers
);

create index meters_by_feeder on meters (utility_id, island_id, feeder_id, position);
