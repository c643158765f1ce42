-- What was asked for and answered is not held for that (ADR 0044). `covered` stays what is not to be asked for: it is held,
-- excused or absent.
alter table interval_coverage
  -- Answered once without a value: to be asked for once more.
  add column doubted tstzmultirange not null default '{}',
  -- Answered twice without a value, and nobody knows why. A part of `covered`.
  add column absent tstzmultirange not null default '{}',
  -- Without a value while the meter says that it had no power. A part of `covered`.
  add column excused tstzmultirange not null default '{}';

-- The same by channel: a row for a channel that lacks something.
create table channel_absences (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  obis text not null check (length(obis) between 1 and 32),
  absent tstzmultirange not null default '{}',
  excused tstzmultirange not null default '{}',
  primary key (utility_id, island_id, meter_id, obis),
  foreign key (utility_id, island_id, meter_id) references meters
);

-- What was covered until now was asked for, and nobody wrote down whether it came: it is asked for again.
update interval_coverage set covered = '{}' where not isempty(covered);

alter table sla_marks
  add column excused bigint not null default 0,
  add column absent bigint not null default 0;
