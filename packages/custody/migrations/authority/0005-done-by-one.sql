-- What one person has done with meters' keys alone is bounded by the day: the entries that say so are found without reading the others.
create index ledger_done_by_one on ledger (sequence) where kind = 'done-by-one';
