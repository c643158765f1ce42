-- Head-ends of other vendors are entries of the ledger and nothing else; they are read at each start.
create index ledger_head_ends on ledger (sequence) where kind in ('head-end-enrolled', 'head-end-removed');
