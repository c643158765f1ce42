-- What the row says is judged by its MAC, by the ledger, and by the document that the custodian keeps outside the database. Whoever owns
-- the database takes the row away or writes any revision into it: the custodian puts it right, whatever it finds there (ADR 0072).
create or replace function authority_only_goes_on() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE' or (new.utility, new.island) is distinct from (old.utility, old.island) then
    raise exception 'the authority only goes on: it is neither deleted nor moved' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
