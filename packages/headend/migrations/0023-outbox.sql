-- What an island tells consumers and other islands (ADR 0028). A number is taken with the row of `outbox_heads` locked until
-- the transaction ends, so that the order of numbers is the order of commits and none is missing.
create table outbox_heads (
  utility_id smallint not null,
  island_id smallint not null,
  -- Another one where the database began anew, and its numbers with it.
  run uuid not null default gen_random_uuid(),
  last bigint not null default 0,
  -- Up to here another has taken it over, where there is one to carry it to.
  carried bigint not null default 0 check (carried <= last),
  primary key (utility_id, island_id),
  foreign key (utility_id, island_id) references islands
);
insert into outbox_heads (utility_id, island_id) select utility_id, island_id from islands;

create table outbox (
  utility_id smallint not null,
  island_id smallint not null,
  sequence bigint not null,
  at timestamptz not null default clock_timestamp(),
  kind text not null,
  meter text not null,
  body text not null,
  primary key (utility_id, island_id, sequence)
);

-- What other islands told, each announcement once: what comes again has a number that is not beyond the last.
create table inbox_heads (
  -- Who heard it; who told it is in `origin`.
  utility_id smallint not null,
  island_id smallint not null,
  origin text not null,
  last bigint not null,
  -- Numbers that never came, because what carried them had forgotten them.
  missing bigint not null default 0,
  primary key (utility_id, island_id, origin),
  foreign key (utility_id, island_id) references islands
);
create table inbox (
  utility_id smallint not null,
  island_id smallint not null,
  origin text not null,
  sequence bigint not null,
  at timestamptz not null,
  kind text not null,
  meter text not null,
  body text not null,
  primary key (utility_id, island_id, origin, sequence)
);
