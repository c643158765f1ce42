-- Journals and counters carry a MAC under a key that is not in the database, over their place and all they say; the
-- ledger has the newest of each. Rows from before get theirs at the next start, once.
alter table takeovers add column mac bytea check (octet_length(mac) = 32);
alter table send_counters add column mac bytea check (octet_length(mac) = 32);

create index ledger_marks on ledger (meter, kind, sequence) where kind in ('counters-reserved', 'takeover-recorded');

create or replace function counters_never_go_down() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
    or (new.utility, new.island, new.system_title, new.setup, new.key_version)
      is distinct from (old.utility, old.island, old.system_title, old.setup, old.key_version)
    or new.next < old.next or (new.next = old.next and old.mac is not null) then
    raise exception 'an invocation counter never goes down' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create function takeovers_only_advance() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
    or (new.utility, new.island, new.system_title, new.setup, new.takeover)
      is distinct from (old.utility, old.island, old.system_title, old.setup, old.takeover)
    or not (new.revision = old.revision + 1
      or (new.revision = old.revision and old.mac is null and new.journal = old.journal)) then
    raise exception 'a takeover only goes on from its last revision' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger takeovers_only_advance before update or delete on takeovers
  for each row execute function takeovers_only_advance();

-- Meters that somebody added by hand and that a signed shipment has brought since: kept whole, out of the way.
create table set_aside_meters (
  utility text not null,
  island text not null,
  system_title bytea not null,
  set_aside_ms bigint not null,
  meter jsonb not null,
  -- Sealed for the place above.
  keys jsonb not null,
  primary key (utility, island, system_title, set_aside_ms)
);

-- The one way a row leaves these tables: the role at run time may not delete. Only what was added by hand and never
-- taken over can go, and it goes into the table above.
create function set_aside_added_meter(title bytea, at_ms bigint) returns void
  language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into set_aside_meters
    select m.utility, m.island, m.system_title, at_ms, to_jsonb(m),
      coalesce((select jsonb_agg(to_jsonb(k)) from meter_keys k where k.system_title = m.system_title), '[]')
    from meters m where m.system_title = title and m.origin = 'added';
  if not found then
    raise exception 'only a meter that was added by hand is set aside' using errcode = 'restrict_violation';
  end if;
  delete from receive_windows where system_title = title;
  delete from key_check_values where system_title = title;
  delete from meter_keys where system_title = title;
  -- Takeovers and send counters still refer to a meter that has any: it stays then.
  delete from meters where system_title = title;
end
$$;
