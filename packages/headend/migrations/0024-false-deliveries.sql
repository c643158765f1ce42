-- What a concentrator brought in a meter's name and was refused.
alter table destination_incidents drop constraint destination_incidents_kind_check,
  add constraint destination_incidents_kind_check
    check (kind in ('points-elsewhere', 'foreign-traffic', 'two-places', 'false-delivery'));
