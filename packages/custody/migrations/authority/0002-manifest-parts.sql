-- A manifest of a million targets has 110 MB: it lies in parts, each of which is written, read and inflated by itself, so
-- that nothing else waits for it. They are read against the manifest's hash.
create table manifest_parts (
  utility text not null,
  island text not null,
  hash bytea not null check (octet_length(hash) = 48),
  part integer not null check (part >= 0),
  octets bytea not null,
  primary key (hash, part)
);
alter table manifest_parts alter column octets set storage external;
insert into manifest_parts select utility, island, hash, 0, octets from manifests;
alter table manifests drop column octets;
