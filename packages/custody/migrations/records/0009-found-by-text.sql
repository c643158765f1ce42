-- What the PKI asks the ledger is found by the text of entries: one that somebody has changed need not be JSON, and reading it as such
-- failed for all.
drop index ledger_orders;
create index ledger_orders on ledger ((substring(body from '"authority":"([^"]*)"') collate "C"),
  (substring(body from '"serial":"([^"]*)"') collate "C")) where kind = 'certificate-ordered';
drop index ledger_freed;
create index ledger_freed on ledger ((substring(body from '"plan":"([^"]*)"') collate "C"),
  (substring(body from '"meter":"([^"]*)"') collate "C")) where kind = 'certificates-removed';
