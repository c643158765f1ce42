-- What an authority was asked for, issued and revoked. Rows are never deleted, and what was issued never changes: only a
-- certificate that was ordered becomes issued, and one that was issued becomes revoked.
create table authorities (
  -- subjectKeyIdentifier of its certificate: a name may be taken by another, a key not.
  authority bytea primary key check (octet_length(authority) between 8 and 20),
  utility text not null,
  island text not null,
  name text not null,
  profile text not null,
  parent bytea references authorities (authority),
  -- Where its key is: a name in the vault, a label in a token.
  key_name text not null unique,
  certificate bytea not null,
  created_ms bigint not null
);

create table certificates (
  authority bytea not null references authorities (authority),
  serial bytea not null check (octet_length(serial) between 8 and 20),
  utility text not null,
  island text not null,
  profile text not null,
  subject text not null,
  system_title bytea check (octet_length(system_title) = 8),
  key_identifier bytea not null,
  requester text not null,
  not_before_ms bigint not null,
  not_after_ms bigint not null,
  ordered_ms bigint not null,
  -- The certificate in DER; null while it is ordered, and for good when its process died before it was signed.
  octets bytea,
  shard integer not null check (shard >= 0),
  revoked_ms bigint,
  reason text,
  check ((revoked_ms is null) = (reason is null)),
  check (revoked_ms is null or octets is not null),
  primary key (authority, serial)
);

create index certificates_by_title on certificates (system_title) where system_title is not null;
create index certificates_by_key on certificates (key_identifier);
create index certificates_by_end on certificates (not_after_ms, authority, serial) where revoked_ms is null;
create index certificates_by_requester on certificates (requester, ordered_ms);
create index certificates_by_subject on certificates (subject text_pattern_ops);
create index certificates_revoked on certificates (authority, shard, revoked_ms) where revoked_ms is not null;

create function certificates_only_advance() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE'
    or (new.authority, new.serial, new.utility, new.island, new.profile, new.subject, new.key_identifier, new.requester,
        new.not_before_ms, new.not_after_ms, new.ordered_ms, new.shard)
      is distinct from (old.authority, old.serial, old.utility, old.island, old.profile, old.subject, old.key_identifier,
        old.requester, old.not_before_ms, old.not_after_ms, old.ordered_ms, old.shard)
    or new.system_title is distinct from old.system_title
    or (old.octets is not null and new.octets is distinct from old.octets)
    or (old.revoked_ms is not null and (new.revoked_ms, new.reason) is distinct from (old.revoked_ms, old.reason)) then
    raise exception 'a certificate is neither changed nor un-revoked' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger certificates_only_advance before update or delete on certificates
  for each row execute function certificates_only_advance();

-- The newest list of each shard, and its number: a number is never given to two lists.
create table revocation_lists (
  authority bytea not null references authorities (authority),
  shard integer not null,
  number bigint not null check (number > 0),
  -- The number of the full list that a delta follows; null for a full one.
  since bigint,
  this_update_ms bigint not null,
  next_update_ms bigint not null,
  octets bytea not null,
  primary key (authority, shard, number)
);
