-- Where the journal of withdrawals ended last, and what was wrong with it, is found without reading the other entries.
create index ledger_withdrawals on ledger (principal, utility, sequence)
  where kind in ('withdrawals-begun', 'withdrawals-adopted', 'withdrawals-noted', 'withdrawals-broken');
