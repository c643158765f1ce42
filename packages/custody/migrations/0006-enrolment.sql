-- A journal is of keys or of certificates: one mechanism for two machines (ADR 0022).
alter table takeovers add column subject text not null default 'keys' check (subject in ('keys', 'certificates'));
alter table takeovers drop constraint takeovers_pkey;
alter table takeovers add primary key (utility, island, system_title, setup, subject, takeover);
drop index takeovers_one_open;
create unique index takeovers_one_open on takeovers (utility, island, system_title, setup, subject)
  where closed_ms is null;

create or replace function takeovers_only_advance() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
    or (new.utility, new.island, new.system_title, new.setup, new.subject, new.takeover)
      is distinct from (old.utility, old.island, old.system_title, old.setup, old.subject, old.takeover)
    or not (new.revision = old.revision + 1
      or (new.revision = old.revision and old.mac is null and new.journal = old.journal)) then
    raise exception 'a takeover only goes on from its last revision' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

drop index ledger_marks;
create index ledger_marks on ledger (meter, kind, sequence)
  where kind in ('counters-reserved', 'takeover-recorded', 'enrolment-recorded');

-- Enrolments that somebody or the policy asked for. The journal of one that has begun stands in `takeovers`.
create table enrolments (
  utility text not null,
  island text not null,
  system_title bytea not null,
  enrolment integer not null check (enrolment > 0),
  cause text not null check (cause in ('first', 'renewal', 'authorities', 'demand', 'compromise')),
  -- Higher is sooner.
  risk integer not null,
  planned_ms bigint not null,
  planned_by text not null,
  begun_ms bigint,
  ended_ms bigint,
  outcome text check (outcome in ('enrolled', 'failed')),
  -- When the first of its certificates ends; absent where none does.
  expires_ms bigint,
  check ((ended_ms is null) = (outcome is null)),
  primary key (utility, island, system_title, enrolment),
  foreign key (utility, island, system_title) references meters
);

create unique index enrolments_one_open on enrolments (utility, island, system_title) where ended_ms is null;
create index enrolments_next on enrolments (risk desc, planned_ms, system_title) where ended_ms is null;
create index enrolments_old on enrolments (ended_ms) where outcome = 'enrolled';
create index enrolments_ending on enrolments (expires_ms) where outcome = 'enrolled' and expires_ms is not null;
create index meters_with_certificates on meters (system_title) where security_suite > 0;

create table enrolment_policies (
  utility text not null,
  island text not null,
  renew_after_days integer not null check (renew_after_days > 0),
  renew_before_days integer not null check (renew_before_days > 0),
  per_day integer not null check (per_day > 0),
  primary key (utility, island)
);
