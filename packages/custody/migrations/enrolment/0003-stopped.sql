-- None a day: nothing begins that is not urgent.
alter table enrolment_policies drop constraint enrolment_policies_per_day_check;
alter table enrolment_policies add constraint enrolment_policies_per_day_check check (per_day >= 0);
