-- That a meter has come back is one of the entries that its standing, and the states of its keys, follow from.
drop index ledger_states;
create index ledger_states on ledger (meter, sequence)
  where kind in ('key-states-changed', 'meter-departed', 'meter-readmitted');
