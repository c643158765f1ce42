-- Up to when a meter's logs, and its registers at the ends of days, have been read, by its own time: kept by a process before,
-- and forgotten with it. Where there is none, logs are read whole.
alter table interval_coverage
  add column logged_to timestamptz,
  add column days_to timestamptz;
