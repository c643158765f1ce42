-- How much of a day was held when a deadline of the service level passed: what the board says of days that are over. Written
-- once for each deadline, never changed.
create table sla_marks (
  utility_id smallint not null,
  island_id smallint not null,
  kind text not null check (kind in ('simulated', 'real')),
  -- UTC, at the source.
  day date not null,
  -- In thousandths: 980 is 98 %.
  target smallint not null check (target between 1 and 1000),
  -- At the source: when it was due, and when it was counted.
  due_at timestamptz not null,
  counted_at timestamptz not null,
  meters integer not null,
  wanted bigint not null,
  held bigint not null check (held <= wanted),
  primary key (utility_id, island_id, kind, day, target),
  foreign key (utility_id, island_id) references islands
);
