-- What was ever ordered of the PKI is what the ledger says, whatever became of its rows (ADR 0057): found by its authority and
-- serial number, by its device, and counted for its requester, without reading what else the ledger has.
create index ledger_orders on ledger (decode(body::jsonb->>'authority', 'hex'), decode(body::jsonb->>'serial', 'hex'))
  where kind = 'certificate-ordered';
create index ledger_orders_of_meter on ledger (meter, sequence) where kind = 'certificate-ordered';
create index ledger_orders_of_requester on ledger (principal, at_ms) where kind = 'certificate-ordered';
create index ledger_authorities on ledger (sequence) where kind = 'authority-made';
-- Which meters a revocation has freed.
create index ledger_freed on ledger ((body::jsonb->>'plan'), (body::jsonb->>'meter')) where kind = 'certificates-removed';
-- Which lists of authorities in a drawer were adopted.
create index ledger_lists_adopted on ledger (sequence) where kind = 'list-adopted';
