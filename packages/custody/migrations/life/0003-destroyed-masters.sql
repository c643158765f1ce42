-- The octets of a manufacturer's master are overwritten when it is destroyed, and stay so. No other vault key is ever changed.
create function vault_keys_only_emptied() returns trigger language plpgsql as $$
begin
  if old.utility <> '*masters' or octet_length(new.sealed) <> 0
    or (new.utility, new.island, new.version) is distinct from (old.utility, old.island, old.version) then
    raise exception 'a vault key stays as it is' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
create trigger vault_keys_only_emptied before update on vault_keys for each row execute function vault_keys_only_emptied();

create function vault_copies_only_emptied() returns trigger language plpgsql as $$
begin
  if old.utility <> '*masters' or octet_length(new.wrapped) <> 0
    or (new.utility, new.island, new.version, new.token, new.wrapped_under, new.check_value)
      is distinct from (old.utility, old.island, old.version, old.token, old.wrapped_under, old.check_value) then
    raise exception 'a vault secret stays as it is' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
create trigger vault_copies_only_emptied before update on vault_secret_copies
  for each row execute function vault_copies_only_emptied();
