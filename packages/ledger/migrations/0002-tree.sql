-- The chain becomes a tree (RFC 9162). An entry's leaf is SHA-256 over 0x00 and its line of JSON; the roots of every
-- 256 leaves, of every 256 of those and so on are stored, what lies between follows from them.
alter table ledger disable trigger ledger_keeps_rows;
alter table ledger add column leaf bytea;

-- What was chained before keeps its proof: the last hash of the chain becomes an entry, and the chain can be computed
-- again from the entries before it.
insert into ledger (sequence, at_ms, kind, principal, utility, island, body, previous_hash, hash)
  select sequence + 1, at_ms, 'ledger-became-tree', 'ledger', '*', '*',
    '{"chain":{"sequence":' || sequence || ',"hash":"' || encode(hash, 'hex') || '"}}', hash, sha256(hash)
  from ledger order by sequence desc limit 1;

update ledger set leaf = sha256('\x00'::bytea || convert_to(
  '{"sequence":' || sequence || ',"at":' || at_ms || ',"kind":' || to_json(kind)::text
  || ',"principal":' || to_json(principal)::text || ',"utility":' || to_json(utility)::text
  || ',"island":' || to_json(island)::text || coalesce(',"meter":' || to_json(meter)::text, '')
  || ',"body":' || body || '}', 'UTF8'));

alter table ledger alter column leaf set not null;
alter table ledger add check (octet_length(leaf) = 32);
alter table ledger drop column previous_hash;
alter table ledger drop column hash;
alter table ledger enable trigger ledger_keeps_rows;

create table ledger_nodes (
  level smallint not null check (level > 0 and level % 8 = 0),
  index bigint not null check (index >= 0),
  hash bytea not null check (octet_length(hash) = 32),
  primary key (level, index)
);

-- Signed tree heads, and what witnesses have signed besides.
create table ledger_checkpoints (
  size bigint primary key check (size > 0),
  note text not null
);

create table ledger_cosignatures (
  size bigint not null references ledger_checkpoints,
  witness text not null,
  line text not null,
  primary key (size, witness)
);

-- The few entries that say how the ledger itself is kept: keys, witnesses, resumptions.
create index ledger_of_itself on ledger (sequence) where kind like 'ledger-%';

create trigger ledger_nodes_keep_rows before update or delete on ledger_nodes
  for each row execute function ledger_is_append_only();
create trigger ledger_nodes_keep_all before truncate on ledger_nodes
  for each statement execute function ledger_is_append_only();
create trigger ledger_checkpoints_keep_rows before update or delete on ledger_checkpoints
  for each row execute function ledger_is_append_only();
create trigger ledger_checkpoints_keep_all before truncate on ledger_checkpoints
  for each statement execute function ledger_is_append_only();
create trigger ledger_cosignatures_keep_rows before update or delete on ledger_cosignatures
  for each row execute function ledger_is_append_only();
create trigger ledger_cosignatures_keep_all before truncate on ledger_cosignatures
  for each statement execute function ledger_is_append_only();
