-- Seals carry a MAC over all they say, and as many rows are here as the ledger has entries of them: what counts against the
-- caps is neither changed nor taken away unnoticed.
alter table critical_seals add column mac bytea check (octet_length(mac) = 32);
create index critical_seals_without_mac on critical_seals (nonce) where mac is null;
create index critical_seals_counting on critical_seals (settled_lived_ms);
create index ledger_critical_sealed on ledger (sequence) where kind = 'critical-sealed';

-- Whether a change was executed is what the ledger says, not what its row says.
create index ledger_executed_hashes on ledger ((body::jsonb->>'hash')) where kind = 'change-executed';

create or replace function critical_seals_settle_once() returns trigger language plpgsql as $$
begin
  -- A row from before MACs gets its own, once.
  if tg_op = 'UPDATE' and old.mac is null and new.mac is not null and new.outcome is not distinct from old.outcome then
    return new;
  end if;
  if tg_op <> 'UPDATE' or old.outcome is not null or new.outcome is null then
    raise exception 'what was sealed is settled once, and never forgotten' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
