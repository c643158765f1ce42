-- The way to a meter as one text: a port, a gateway's prefix, a concentrator, or a call of the meter's own.
alter table meters add column route text;
update meters set route = 'tcp://' || case when position(':' in host) > 0 then '[' || host || ']' else host end || ':' || port
  where host is not null and port is not null;
alter table meters drop column host, drop column port;

-- Each time a meter was made to call: what its budget is counted from.
create table wake_ups (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  at timestamptz not null,
  primary key (utility_id, island_id, meter_id, at),
  foreign key (utility_id, island_id, meter_id) references meters
);
