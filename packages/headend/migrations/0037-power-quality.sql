-- What is held of the profile of power quality, as `covered` and the others have it of the load profile: it is wanted by the day.
alter table interval_coverage
  add column quality_covered tstzmultirange not null default '{}',
  add column quality_doubted tstzmultirange not null default '{}',
  add column quality_absent tstzmultirange not null default '{}',
  add column quality_excused tstzmultirange not null default '{}';
