-- Meters under a name that people have given them, to be commanded together. Who is in a group is looked up when a command is
-- asked for; what people approve is the list of meters that it was then.
create table meter_groups (
  utility_id smallint not null,
  island_id smallint not null,
  name text not null,
  note text not null,
  set_by text not null,
  set_at timestamptz not null,
  primary key (utility_id, island_id, name)
);
create table meter_group_members (
  utility_id smallint not null,
  island_id smallint not null,
  name text not null,
  meter_id integer not null,
  primary key (utility_id, island_id, name, meter_id),
  foreign key (utility_id, island_id, name) references meter_groups on delete cascade,
  foreign key (utility_id, island_id, meter_id) references meters
);
-- Where a request came from (MC-16): the network, not the address.
alter table campaigns add column network text not null default '';
