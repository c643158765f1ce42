-- Contacts in which a meter's keys are changed: the custodian says which meters want one.
alter table sessions drop constraint sessions_purpose_check;
alter table sessions add constraint sessions_purpose_check check (purpose in ('takeover', 'read', 'push', 'verify', 'rotate'));
alter table work drop constraint work_on_demand_check;
alter table work add constraint work_on_demand_check check (on_demand in ('read', 'verify', 'rotate'));
