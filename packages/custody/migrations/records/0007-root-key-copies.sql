-- Whether somebody has said that a copy of the present root key is kept is looked up at each start.
create index ledger_root_key_copies on ledger (sequence) where kind = 'root-key-copied';
