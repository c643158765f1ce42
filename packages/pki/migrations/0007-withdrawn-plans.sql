-- A revocation that was planned and has not begun may be taken back: its authority issues again, and may be planned for anew.
alter table revocation_plans drop constraint revocation_plans_state_check;
alter table revocation_plans add constraint revocation_plans_state_check
  check (state in ('planned', 'running', 'stopped', 'done', 'withdrawn'));
drop index revocation_plans_one_open;
create unique index revocation_plans_one_open on revocation_plans (authority, coalesce(serial, ''::bytea))
  where not (state = 'withdrawn' or (state = 'done' and (stage = 'cut' or (stage = 'remove' and serial is not null))));
