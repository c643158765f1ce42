-- MC-23: what travelled to and from the SIM of each meter in a calendar month (UTC, by our clock), counted where its network has a
-- budget; and those budgets, as the configuration has them.
create table sim_budgets (
  utility_id smallint not null,
  island_id smallint not null,
  network text not null,
  octets bigint not null check (octets > 0),
  primary key (utility_id, island_id, network),
  foreign key (utility_id, island_id) references islands
);
create table sim_traffic (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  month date not null,
  network text not null,
  octets bigint not null,
  primary key (utility_id, island_id, meter_id, month),
  foreign key (utility_id, island_id, meter_id) references meters
);
