-- Who holds sessions: a row a worker, who also holds an advisory lock for as long as its connection lives. What a worker
-- without its lock has leased is free again.
create table workers (
  utility_id smallint not null,
  island_id smallint not null,
  owner uuid not null,
  primary key (utility_id, island_id, owner)
);

-- Leases from before there were rows: nobody works while the schema changes.
update work set leased_by = null, leased_until = null where leased_by is not null;

-- Asked for while it was leased: what is under way may have looked already, so the meter comes again.
alter table work add column again boolean not null default false;
