-- A database that came from a backup says so: its custodian leaves out counters and adopts the escrow before it goes on.
create table restorations (
  backup text not null,
  restored_ms bigint not null,
  -- When the last change was made that is in this database.
  known_until_ms bigint not null,
  primary key (backup, restored_ms)
);

-- Which process is the custodian. Each takes an epoch of its own; what a former one still writes is refused.
create table custodian_instance (
  only_one boolean primary key default true check (only_one),
  epoch bigint not null,
  holder text not null,
  -- Counted up by the custodian that holds it, every second or two: one that stands still is not there.
  beat bigint not null
);
insert into custodian_instance (epoch, holder, beat) values (0, '', 0);

-- Before anything is written: the session's epoch must be the current one, and stays it until the transaction has ended,
-- since whoever takes over waits for the lock. A session without an epoch writes where nobody has ever claimed one, or
-- where it is the owner's.
create function require_instance() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  mine text := nullif(current_setting('meterkeep.epoch', true), '');
begin
  if current_setting('meterkeep.checked', true) = txid_current()::text then
    return null;
  end if;
  perform from custodian_instance
    where case when mine is null then epoch = 0 or pg_has_role(session_user, current_user, 'usage')
      else epoch = mine::bigint end
    for key share;
  if not found then
    raise exception 'another custodian has taken over: epoch % is past', coalesce(mine, 'none') using errcode = 'MK001';
  end if;
  perform set_config('meterkeep.checked', txid_current()::text, true);
  return null;
end
$$;

-- Lets every table ask for the epoch: those of other packages may come later, so that each custodian calls it.
create function fence_tables() returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  name text;
begin
  for name in select relname from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r'
    and relname not in ('schema_migration', 'custodian_instance', 'restorations')
    and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'fenced') order by relname
  loop
    execute format('create trigger fenced before insert or update or delete on %I for each statement execute function require_instance()', name);
  end loop;
end
$$;
select fence_tables();

-- Takes the next epoch, where the one that was seen is still the current one: gives it, or nothing.
create function claim_instance(seen bigint, by_holder text) returns bigint
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  claimed bigint;
begin
  perform from custodian_instance for update;
  update custodian_instance set epoch = epoch + 1, holder = by_holder, beat = 0 where epoch = seen
    returning epoch into claimed;
  return claimed;
end
$$;

-- Says that the custodian of an epoch is there; false where another one has taken over.
create function beat_instance(mine bigint) returns boolean
  language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update custodian_instance set beat = beat + 1 where epoch = mine;
  return found;
end
$$;
