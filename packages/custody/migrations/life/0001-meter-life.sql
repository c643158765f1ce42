-- The end of a meter's life with its owner: retired, given to another owner, or given back to its maker. Its keys are used no
-- more; its title stays, so that nobody brings it in again by mistake.
alter table meters
  add column standing text not null default 'in-service'
    check (standing in ('in-service', 'retired', 'transferred', 'returned')),
  add column standing_ms bigint,
  -- Counters up to here were used by whoever had the meter before: ours begin above.
  add column counter_floor bigint not null default 0 check (counter_floor between 0 and 4294967294);

-- Found by every batch of an import: meters that stand aside are few among millions.
create index meters_added on meters (system_title) where origin = 'added';
create index meters_out_of_service on meters (system_title) where standing <> 'in-service';

-- Rotations replace secrets of clients as well: 5 passwords, 6 the secrets of other mechanisms.
alter table rotations drop constraint rotations_purposes_check;
alter table rotations add constraint rotations_purposes_check
  check (cardinality(purposes) between 1 and 6 and purposes <@ '{0,1,2,3,5,6}'::smallint[]);

-- Nobody goes back into service by changing a word.
create function standing_only_ends() returns trigger language plpgsql as $$
begin
  if old.standing <> 'in-service' and new.standing is distinct from old.standing then
    raise exception 'a meter that has left stays where it went' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger standing_only_ends before update on meters for each row execute function standing_only_ends();

-- Keys of meters that have left need no successor to be destroyed.
create or replace function destroy_key(of_utility text, of_island text, title bytea, of_setup smallint, of_purpose smallint,
  of_version integer, at_ms bigint) returns void
  language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update meter_keys set sealed = '', changed_ms = at_ms,
    state = case state when 'compromised' then 'destroyed-compromised' else 'destroyed' end
    where (utility, island, system_title, setup, purpose, version)
      = (of_utility, of_island, title, of_setup, of_purpose, of_version)
      and state in ('pre-activation', 'deactivated', 'compromised')
      -- Never the newest of its purpose: its successor is what the meter has proven since.
      and (exists (select from meter_keys later where (later.utility, later.island, later.system_title, later.setup,
        later.purpose) = (of_utility, of_island, title, of_setup, of_purpose) and later.version > of_version
        and later.state = 'active')
      or exists (select from meters m where (m.utility, m.island, m.system_title) = (of_utility, of_island, title)
        and m.standing <> 'in-service'));
  if not found then
    raise exception 'only a key that has gone and has an active successor is destroyed' using errcode = 'restrict_violation';
  end if;
end
$$;
