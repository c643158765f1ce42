-- People by name, with roles that are kept apart. A name is what the ledger and the custodian call somebody: it belongs to
-- one person of a utility for ever.
create unique index people_by_name on people (utility_id, island_id, lower(name));
alter table people
  add column subject text,
  add column admitted_by text,
  add column disabled_by text;
create unique index people_by_subject on people (utility_id, island_id, subject) where disabled_at is null;
-- Who came first did everything so far, and goes on to: to admit people, and to operate.
update people set roles = roles || array['operator']
  where 'administrator' = any (roles) and not 'operator' = any (roles);

-- When a passkey was last shown in this session: what is critical takes one that is fresh.
alter table person_sessions add column proven_at timestamptz;

-- What a challenge is for: one that was made to sign in opens nothing else.
alter table passkey_challenges rename to login_challenges;
alter table login_challenges add column purpose text not null default 'sign-in'
  check (purpose in ('sign-in', 'enrol', 'step-up', 'organisation'));
alter table login_challenges alter column purpose drop default;

alter table machine_tokens drop constraint machine_tokens_scope_check;
alter table machine_tokens add constraint machine_tokens_scope_check
  check (scope in ('read', 'operate', 'request', 'admin'));
