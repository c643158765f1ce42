-- With the last entry of each commit: what only the writer's own key could have made over the size and root of the tree that
-- ends there. Entries after the last one that holds were written by somebody else.
alter table ledger add column end_mac bytea check (octet_length(end_mac) between 16 and 64);
