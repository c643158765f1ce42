-- Intervals of a meter's day, packed (ADR 0023); single rows stay for the few that come alone.
create table meter_days (
  utility_id smallint not null,
  island_id smallint not null,
  -- The UTC day at the source in which the intervals end; one that ends at midnight belongs to the day before.
  day date not null,
  meter_id integer not null,
  -- 0: the day as it was closed; else the slot in which a part begins that came in one go and waits for the day's end, or
  -- came after it.
  part integer not null check (part between 0 and 86400),
  -- Instants, values (an instant has one a channel), and values captured from a trusted source with a valid tag.
  instants integer not null,
  value_count integer not null,
  trusted_count integer not null,
  -- The evidence that its values rest on has numbers between these.
  evidence_from bigint not null,
  evidence_to bigint not null,
  packed bytea not null,
  primary key (utility_id, island_id, meter_id, day, part)
) partition by range (day);

-- Packed octets do not compress again, and a row fits its page.
alter table meter_days alter column packed set storage external;

-- A status word of 32 bits has values that a signed integer of 32 bits has not.
alter table interval_readings alter column status type bigint;

-- A value that contradicts one that is held already. Neither overwrites the other.
create table interval_corrections (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  channel_id smallint not null,
  at timestamptz not null,
  evidence_id bigint not null,
  value double precision not null,
  status bigint,
  protection protection_grade not null,
  trust_at_capture trust_state not null,
  primary key (utility_id, island_id, meter_id, channel_id, at, evidence_id)
);
create index interval_corrections_by_evidence on interval_corrections using brin (evidence_id);

-- The role at run time owns no table: the owner's function makes the month's partition for it. It grants no more than the
-- partitioned table has, through which alone it is used.
create function ensure_meter_days(first date, last date) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  month date := date_trunc('month', first);
  name text;
begin
  if last - first > 800 or first < date '2000-01-01' or last > current_date + 366 * 20 then
    raise exception 'no partitions from % to %', first, last using errcode = '22023';
  end if;
  while month <= last loop
    name := 'meter_days_' || to_char(month, 'YYYY_MM');
    if to_regclass('public.' || name) is null then
      -- Two that make the same month take turns; a table that is made aside and then attached stops neither readers nor writers.
      perform pg_advisory_xact_lock(7236811);
      begin
        execute format('create table %I (like meter_days including all)', name);
        execute format('create index %I on %I using brin (evidence_to)', name || '_by_evidence', name);
        execute format('alter table meter_days attach partition %I for values from (%L) to (%L)', name, month,
          (month + interval '1 month')::date);
      exception when duplicate_table then
        -- The other was first, and has ended its transaction: a transaction at repeatable read does not see it before.
        null;
      end;
    end if;
    month := month + interval '1 month';
  end loop;
end
$$;

-- Drops the months before a day that hold nothing any more. What holds a row stays, whatever is asked for. Where somebody
-- reads just then it gives up: the next time comes.
create function drop_empty_meter_days(before date) returns integer
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '1s' as $$
declare
  name text;
  is_empty boolean;
  dropped integer := 0;
begin
  for name in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.meter_days'::regclass and c.relname < 'meter_days_' || to_char(before, 'YYYY_MM')
  loop
    execute format('select not exists (select from %I)', name) into is_empty;
    continue when not is_empty;
    lock table meter_days in access exclusive mode;
    execute format('select not exists (select from %I)', name) into is_empty;
    if is_empty then
      execute format('drop table %I', name);
      dropped := dropped + 1;
    end if;
  end loop;
  return dropped;
exception when lock_not_available then
  return dropped;
end
$$;
