-- The audit log: what is written here stays. A role that owns the table could drop the triggers; the chain shows it.
create table ledger (
  sequence bigint primary key check (sequence > 0),
  at_ms bigint not null,
  kind text not null,
  principal text not null,
  utility text not null,
  island text not null,
  meter text,
  body text not null,
  previous_hash bytea not null unique check (octet_length(previous_hash) = 32),
  hash bytea not null unique check (octet_length(hash) = 32)
);

create index ledger_by_meter on ledger (utility, island, meter, sequence) where meter is not null;

create function ledger_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'the ledger is append-only: % refused', lower(tg_op) using errcode = 'restrict_violation';
end
$$;

create trigger ledger_keeps_rows before update or delete on ledger
  for each row execute function ledger_is_append_only();
create trigger ledger_keeps_all before truncate on ledger
  for each statement execute function ledger_is_append_only();
