-- Commands that take injection off, and give it back, are counted apart from those that do the same with load.
alter table campaigns drop constraint campaigns_direction_check;
alter table campaigns add constraint campaigns_direction_check
  check (direction in ('off', 'on', 'feed-off', 'feed-on', 'none'));
