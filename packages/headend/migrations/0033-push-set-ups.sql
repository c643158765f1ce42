-- Which push set-ups (class 40) a meter's own object list has, and when that list was read: a redirection through one that no
-- companion profile names is looked for too.
alter table interval_coverage
  add column push_set_ups text[],
  add column listed_at timestamptz;

-- Where each meter proves itself when it pushes, which places it has left and when, and when it went back to one: whoever has
-- its keys and takes its place once is seen after a restart as well.
create table meter_places (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  address text not null,
  since timestamptz not null,
  -- Places left before, the newest last: [address, milliseconds since 1970].
  left_places jsonb not null default '[]',
  -- When it went back to one of them, milliseconds since 1970.
  returns jsonb not null default '[]',
  primary key (utility_id, island_id, meter_id),
  foreign key (utility_id, island_id, meter_id) references meters
);
alter table destination_incidents drop constraint destination_incidents_kind_check,
  add constraint destination_incidents_kind_check
    check (kind in ('points-elsewhere', 'foreign-traffic', 'two-places', 'moved', 'false-delivery'));
