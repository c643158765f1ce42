-- A row has its MAC from the beginning: none gets one later.
drop index critical_seals_without_mac;
drop index meters_without_mac;
drop index receive_windows_without_mac;
create or replace function critical_seals_settle_once() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE' or old.outcome is not null or new.outcome is null then
    raise exception 'what was sealed is settled once, and never forgotten' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
create or replace function counters_never_go_down() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
    or (new.utility, new.island, new.system_title, new.setup, new.key_version)
      is distinct from (old.utility, old.island, old.system_title, old.setup, old.key_version)
    or new.next <= old.next then
    raise exception 'an invocation counter never goes down' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
create or replace function takeovers_only_advance() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
    or (new.utility, new.island, new.system_title, new.setup, new.subject, new.takeover)
      is distinct from (old.utility, old.island, old.system_title, old.setup, old.subject, old.takeover)
    or new.revision <> old.revision + 1 then
    raise exception 'a takeover only goes on from its last revision' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

-- What was executed is asked for by text (ledger_changes_executed): an entry that somebody has changed need not be JSON.
drop index ledger_executed_hashes;
