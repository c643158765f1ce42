-- Answers about single certificates (OCSP), signed before anybody asks. A row is replaced when it grows old, and
-- stays when its certificate has ended; whoever reads one verifies its signature, and holds it against what was revoked.
create table ocsp_answers (
  authority bytea not null,
  serial bytea not null,
  is_revoked boolean not null,
  until_ms bigint not null,
  octets bytea not null,
  primary key (authority, serial)
);
