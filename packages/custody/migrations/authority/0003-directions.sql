-- What a seal does to what flows: injection is taken off and given back as load is, and counted apart from it.
alter table critical_seals drop constraint critical_seals_direction_check;
alter table critical_seals add constraint critical_seals_direction_check
  check (direction in ('off', 'on', 'feed-off', 'feed-on', 'none'));
drop index critical_seals_off;
create index critical_seals_cut on critical_seals (direction, settled_lived_ms) where direction in ('off', 'feed-off');
