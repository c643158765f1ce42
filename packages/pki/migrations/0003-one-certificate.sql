-- A revocation in stages may be of one certificate: that of a client, say, which meters hold (ADR 0031).
alter table revocation_plans add column serial bytea check (octet_length(serial) between 8 and 20);
drop index revocation_plans_one_open;
create unique index revocation_plans_one_open on revocation_plans (authority, coalesce(serial, ''::bytea))
  where not (state = 'done' and (stage = 'cut' or (stage = 'remove' and serial is not null)));
create index certificate_removals_of_meter on certificate_removals (system_title) where finished_ms is null;
