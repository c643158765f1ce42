-- Sessions in which an operation is run, and what operations keep of a meter from one session to the next: the image that it
-- is being given, when its clock was set.
alter table sessions drop constraint sessions_purpose_check;
alter table sessions add constraint sessions_purpose_check
  check (purpose in ('takeover', 'read', 'push', 'verify', 'rotate', 'enrol', 'operate'));

create table operation_memory (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  topic text not null check (length(topic) between 1 and 64),
  value jsonb not null,
  kept_at timestamptz not null,
  primary key (utility_id, island_id, meter_id, topic),
  foreign key (utility_id, island_id, meter_id) references meters
);
