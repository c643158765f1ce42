-- Policies look every ten minutes for what is due, and pages ask how much of it there is: an index tells, so that a look costs what is due
-- and not what the fleet has. Of keys those are in it that a policy changes, while they are in use: what has gone leaves it.
drop index meter_keys_by_age;
create index meter_keys_by_age on meter_keys (created_ms) where state = 'active' and purpose <= 3;
-- Secrets of clients and keys of devices: they may be as old as they are, and nothing looks through them for what is planned.
create index meter_keys_others_by_age on meter_keys (created_ms) where state = 'active' and purpose > 3;
create index meter_keys_unproven on meter_keys (system_title)
  where state = 'active' and purpose in (0, 2, 3) and proven_ms is null;
create index meter_keys_compromised on meter_keys (changed_ms, system_title) where state = 'compromised';

-- What is under way is asked for at every contact, and lies among all that waits.
create index rotations_under_way on rotations (begun_ms) where ended_ms is null and begun_ms is not null;
create index rotations_failed on rotations (system_title) where outcome = 'failed';
