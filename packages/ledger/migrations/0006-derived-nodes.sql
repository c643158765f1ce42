-- Stored nodes are derived from the entries and never believed: one that is another is computed anew (ADR 0065). None is deleted.
drop trigger ledger_nodes_keep_rows on ledger_nodes;
create trigger ledger_nodes_keep_rows before delete on ledger_nodes
  for each row execute function ledger_is_append_only();
