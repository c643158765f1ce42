-- When somebody asked: what was not got to within its time is not done any more.
alter table work add column asked_at timestamptz;
update work set asked_at = now() where on_demand is not null;
