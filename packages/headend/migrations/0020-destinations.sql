-- What was wrong with where a meter speaks to, or from where somebody spoke in its name; one row an hour and cause.
create table destination_incidents (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  kind text not null check (kind in ('points-elsewhere', 'foreign-traffic', 'two-places')),
  place text not null,
  at timestamptz not null,
  sentence text not null,
  count integer not null default 1,
  primary key (utility_id, island_id, meter_id, kind, place, at),
  foreign key (utility_id, island_id, meter_id) references meters
);
