-- Where commits have ended, the newest first: a ledger that is mostly from before ends were bound is not looked through for them.
create index ledger_bound_ends on ledger (sequence) where end_mac is not null;
