-- What keys are for is a registry in the program (keys/purposes.ts): another purpose is a row there.
alter table meter_keys drop constraint meter_keys_purpose_check;
alter table meter_keys add constraint meter_keys_purpose_check check (purpose >= 0);
-- When the state last changed: what has gone is kept for so long after that.
alter table meter_keys add column changed_ms bigint;

-- Keys come in the order of their making, so that a few pages tell where the old ones lie.
create index meter_keys_by_age on meter_keys using brin (created_ms);
create index meter_keys_gone on meter_keys (changed_ms) where state in ('deactivated', 'compromised');
create index send_counters_by_use on send_counters (next) where next > 1000000;

-- Rotations that somebody or a policy asked for. The journal of one that has begun stands in `takeovers`.
create table rotations (
  utility text not null,
  island text not null,
  system_title bytea not null,
  setup smallint not null,
  rotation integer not null check (rotation > 0),
  cause text not null check (cause in ('age', 'count', 'demand', 'exposure', 'compromise')),
  purposes smallint[] not null check (cardinality(purposes) between 1 and 4 and purposes <@ '{0,1,2,3}'::smallint[]),
  -- Higher is sooner.
  risk integer not null,
  planned_ms bigint not null,
  planned_by text not null,
  begun_ms bigint,
  ended_ms bigint,
  outcome text check (outcome in ('proven', 'failed')),
  check ((ended_ms is null) = (outcome is null)),
  primary key (utility, island, system_title, setup, rotation),
  foreign key (utility, island, system_title) references meters
);

-- One open rotation a security setup, as there is one open journal.
create unique index rotations_one_open on rotations (utility, island, system_title, setup) where ended_ms is null;
create index rotations_next on rotations (risk desc, planned_ms, system_title) where ended_ms is null;

create table key_policies (
  utility text not null,
  island text not null,
  crypto_period_days integer not null check (crypto_period_days between 1 and 1826),
  count_limit bigint not null check (count_limit between 1000 and 4294967295),
  per_hour integer not null check (per_hour > 0),
  retain_days integer not null check (retain_days > 0),
  primary key (utility, island)
);

-- The octets of a key that has gone are overwritten here and nowhere else: the role at run time cannot change them.
create function destroy_key(of_utility text, of_island text, title bytea, of_setup smallint, of_purpose smallint,
  of_version integer, at_ms bigint) returns void
  language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update meter_keys set sealed = '', changed_ms = at_ms,
    state = case state when 'compromised' then 'destroyed-compromised' else 'destroyed' end
    where (utility, island, system_title, setup, purpose, version)
      = (of_utility, of_island, title, of_setup, of_purpose, of_version)
      and state in ('pre-activation', 'deactivated', 'compromised')
      -- Never the newest of its purpose: its successor is what the meter has proven since.
      and exists (select from meter_keys later where (later.utility, later.island, later.system_title, later.setup,
        later.purpose) = (of_utility, of_island, title, of_setup, of_purpose) and later.version > of_version
        and later.state = 'active');
  if not found then
    raise exception 'only a key that has gone and has an active successor is destroyed' using errcode = 'restrict_violation';
  end if;
end
$$;
