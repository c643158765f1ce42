-- With each entry: what only the writer's own key could have made over its leaf. One that has another was changed since, and is
-- not believed (ADR 0060).
do $$ begin
  if exists (select from ledger where end_mac is not null) then
    raise exception 'this ledger was written by a version whose entries carry no MAC, and none of them would be believed: go on with that version, or begin with an empty database';
  end if;
end $$;
alter table ledger add column mac bytea check (octet_length(mac) = 16);
