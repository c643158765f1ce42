-- How far the windows of a meter had gone, as the ledger says: a row behind it was put back (ADR 0052).
create index ledger_accepted on ledger (meter, sequence) where kind = 'counters-accepted';
