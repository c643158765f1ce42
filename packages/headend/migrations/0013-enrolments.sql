-- Contacts in which a meter is given certificates: the custodian says which meters want one.
alter table sessions drop constraint sessions_purpose_check;
alter table sessions add constraint sessions_purpose_check
  check (purpose in ('takeover', 'read', 'push', 'verify', 'rotate', 'enrol'));
