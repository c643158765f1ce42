-- The last head that was noted of a head-end's own ledger is found without reading those before it.
create index ledger_head_end_heads on ledger (principal, utility, sequence)
  where kind in ('head-end-ledger-noted', 'head-end-ledger-broken');
