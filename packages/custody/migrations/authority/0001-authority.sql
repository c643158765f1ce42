-- Who may approve, what is held back, and what is frozen: one document with a MAC, of which the ledger has the newest mark.
create table authority (
  utility text not null,
  island text not null,
  -- Counts the writes: a writer that has not seen the last one is refused.
  revision integer not null check (revision > 0),
  document text not null,
  mac bytea not null check (octet_length(mac) = 32),
  primary key (utility, island)
);

create function authority_only_goes_on() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE' or new.revision <> old.revision + 1
    or (new.utility, new.island) is distinct from (old.utility, old.island) then
    raise exception 'the authority only goes on from its last revision' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger authority_only_goes_on before update or delete on authority
  for each row execute function authority_only_goes_on();
create trigger authority_not_truncated before truncate on authority
  for each statement execute function authority_only_goes_on();

create index ledger_authority_marks on ledger (sequence) where kind = 'authority-recorded';

-- What people approve: kept whole, by its hash.
create table manifests (
  utility text not null,
  island text not null,
  hash bytea not null check (octet_length(hash) = 48) primary key,
  header text not null,
  -- The lines themselves, deflated: they are read against the hash.
  octets bytea not null,
  submitted_ms bigint not null,
  submitted_by text not null
);
create index manifests_by_time on manifests (submitted_ms);

create table change_requests (
  utility text not null,
  island text not null,
  hash bytea not null check (octet_length(hash) = 48) primary key,
  kind text not null,
  document text not null,
  submitted_ms bigint not null,
  submitted_by text not null,
  executed_ms bigint
);
create index change_requests_by_time on change_requests (submitted_ms);

create table approvals (
  utility text not null,
  island text not null,
  hash bytea not null check (octet_length(hash) = 48),
  approver text not null,
  -- The very text that was signed, and the proof: whoever reads it verifies it.
  approval text not null,
  received_ms bigint not null,
  primary key (hash, approver)
);

-- Every critical APDU that was sealed. It counts against the caps until the meter has shown what became of it, and then
-- for the time of their windows. Times ending in lived_ms run only while a custodian does.
create table critical_seals (
  utility text not null,
  island text not null,
  nonce bytea not null check (octet_length(nonce) = 16) primary key,
  manifest bytea not null references manifests (hash),
  system_title bytea not null check (octet_length(system_title) = 8),
  setup smallint not null,
  key_version integer not null,
  counter bigint not null,
  act smallint not null,
  -- A block of an image comes more often than once.
  once boolean not null,
  direction text not null check (direction in ('off', 'on', 'none')),
  load_w bigint not null,
  sealed_ms bigint not null,
  sealed_lived_ms bigint not null,
  outcome text check (outcome in ('executed', 'refused', 'superseded')),
  settled_ms bigint,
  settled_lived_ms bigint,
  check ((outcome is null) = (settled_ms is null) and (outcome is null) = (settled_lived_ms is null)),
  foreign key (utility, island, system_title) references meters
);

-- One act of a manifest is done once on a meter; what the meter refused, or never took, may be tried again.
create unique index critical_seals_once on critical_seals (manifest, system_title, act)
  where once and (outcome is null or outcome = 'executed');
create index critical_seals_open on critical_seals (system_title) where outcome is null;
create index critical_seals_off on critical_seals (settled_lived_ms) where direction = 'off';
create index critical_seals_meter on critical_seals (system_title, sealed_lived_ms) where direction <> 'none';

create function critical_seals_settle_once() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE' or old.outcome is not null or new.outcome is null then
    raise exception 'what was sealed is settled once, and never forgotten' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger critical_seals_settle_once before update or delete on critical_seals
  for each row execute function critical_seals_settle_once();
create trigger critical_seals_not_truncated before truncate on critical_seals
  for each statement execute function critical_seals_settle_once();
