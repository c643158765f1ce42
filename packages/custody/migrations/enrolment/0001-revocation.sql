-- Contacts that free meters of what was revoked (ADR 0031): a cause of their own, and an end that is neither an identity
-- nor a failure.
alter table enrolments drop constraint enrolments_cause_check;
alter table enrolments add constraint enrolments_cause_check
  check (cause in ('first', 'renewal', 'authorities', 'demand', 'compromise', 'revocation'));
alter table enrolments drop constraint enrolments_outcome_check;
alter table enrolments add constraint enrolments_outcome_check check (outcome in ('enrolled', 'freed', 'failed'));
create index enrolments_ended on enrolments (ended_ms) where outcome in ('enrolled', 'freed');
