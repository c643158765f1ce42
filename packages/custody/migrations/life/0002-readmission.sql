-- A meter that was given away may come back, with a shipment of its own: it is then what that says, under a MAC, and the
-- ledger says so. One that was retired stays where it is.
create or replace function standing_only_ends() returns trigger language plpgsql as $$
begin
  if old.standing <> 'in-service' and new.standing is distinct from old.standing
    and not (old.standing in ('transferred', 'returned') and new.standing = 'in-service'
      and new.shipment is distinct from old.shipment) then
    raise exception 'a meter that has left stays where it went' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
