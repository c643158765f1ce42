-- Vault secrets that only tokens open: each lies here once for every token that has it, wrapped under that token's key.
create table vault_secrets (
  utility text not null,
  island text not null,
  version integer not null check (version > 0),
  check_value bytea not null check (octet_length(check_value) = 8),
  primary key (utility, island, version),
  unique (utility, island, version, check_value)
);

create table vault_secret_copies (
  utility text not null,
  island text not null,
  version integer not null,
  token text not null,
  wrapped_under text not null,
  wrapped bytea not null,
  check_value bytea not null,
  primary key (utility, island, version, token),
  -- A copy of another secret has no place here.
  foreign key (utility, island, version, check_value) references vault_secrets (utility, island, version, check_value)
);

alter table vault_roots drop constraint if exists vault_roots_kind_check;
alter table vault_roots add constraint vault_roots_kind_check check (kind in ('file', 'passphrase', 'tokens'));
