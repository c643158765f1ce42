-- What a meter costs, times 25 million (ADR 0033). A system title is unique in the world (meters), so an index that begins with
-- it needs neither utility nor island; the foreign key still ties all three together.
alter table meter_keys drop constraint meter_keys_pkey;
alter table meter_keys add primary key (system_title, setup, purpose, version);
drop index meter_keys_one_active;
create unique index meter_keys_one_active on meter_keys (system_title, setup, purpose) where state = 'active';

-- Half of a keyed hash of 256 bits tells keys apart: among 10^9 keys two that differ have the same with a chance of 10^-21,
-- and who lacks the vault's key cannot look for such two. Whose meter it is says the title.
alter table key_check_values
  drop constraint key_check_values_utility_island_system_title_fkey,
  drop constraint key_check_values_check_value_check;
alter table key_check_values
  alter column check_value type bytea using substring(check_value for 16),
  drop column utility,
  drop column island;
alter table key_check_values
  add check (octet_length(check_value) = 16),
  add foreign key (system_title) references meters (system_title);
