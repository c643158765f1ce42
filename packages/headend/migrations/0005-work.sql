-- Work is drawn from desired state (ADR 0005): one row a meter says when it is due next and who has it. A lease is
-- fenced by its epoch: results under an older epoch change nothing.
create table work (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  -- 0 on demand, 1 takeover, 2 reading
  lane smallint not null default 2,
  due_at timestamptz not null,
  attempts smallint not null default 0,
  last_code text,
  on_demand text check (on_demand in ('read', 'verify')),
  epoch bigint not null default 0,
  leased_by uuid,
  leased_until timestamptz,
  primary key (utility_id, island_id, meter_id),
  foreign key (utility_id, island_id, meter_id) references meters,
  check ((leased_by is null) = (leased_until is null))
);

create index work_due on work (utility_id, island_id, lane, due_at);
