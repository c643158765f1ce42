-- What is known of a meter carries a MAC under a key that is not in the database, and so does the window of counters that
-- were accepted from it. Rows from before get theirs at the next start, once.
alter table meters add column mac bytea check (octet_length(mac) = 32);
alter table receive_windows add column mac bytea check (octet_length(mac) = 32);
create index meters_without_mac on meters (system_title) where mac is null;
create index receive_windows_without_mac on receive_windows (system_title) where mac is null;

-- The states of a meter's keys and its standing follow from these entries: rows that say something else are refused.
create index ledger_states on ledger (meter, sequence) where kind in ('key-states-changed', 'meter-departed');

-- Kinds that are read back whole, and are few among millions.
create index ledger_field on ledger (sequence)
  where kind in ('handheld-enrolled', 'lease-given', 'lease-returned', 'lease-expired', 'handheld-lost');
create index ledger_changes_executed on ledger (sequence) where kind = 'change-executed';
create index ledger_backups on ledger (sequence) where kind = 'backup-created';
