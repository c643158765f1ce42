-- Secrets that were lent to an association, or went under a meter's working keys, are found by their meter: who could have seen them is told from these entries.
create index ledger_carried_secrets on ledger (meter, sequence)
  where kind in ('secret-lent', 'secret-change-sealed', 'child-key-sealed');
