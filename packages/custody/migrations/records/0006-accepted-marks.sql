-- How far the windows of a meter had gone, as the ledger says: a row behind it was put back (ADR 0052).
create index ledger_accepted on ledger (meter, sequence) where kind = 'counters-accepted';

-- Whether a restore's custodian has started is told by the entry with which it acknowledges the restore, not by two clocks.
create or replace function require_owner_or_restore() returns void language plpgsql security definer
  set search_path = public, pg_temp as $$
begin
  if session_user = (select pg_get_userbyid(relowner) from pg_class where oid = 'vault_roots'::regclass) then
    return;
  end if;
  if exists (select from restorations r where not exists (
      select from ledger where kind like 'ledger-%' and kind = 'ledger-custody-restored'
        and body::jsonb->>'backup' = r.backup and (body::jsonb->>'restoredAt')::bigint = r.restored_ms)) then
    return;
  end if;
  raise exception 'only the owner of the schema overwrites what is sealed' using errcode = 'insufficient_privilege';
end
$$;
