-- The vault's root key can be changed: what was sealed under the former one is overwritten. By the schema's owner alone, and by
-- a restore that does again what he has done: from the mark of a restore until its custodian has started.
create function require_owner_or_restore() returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if session_user = (select pg_get_userbyid(relowner) from pg_class where oid = 'vault_roots'::regclass) then
    return;
  end if;
  if exists (select from restorations r where not exists (
      select from ledger where kind = 'custodian-started' and at_ms >= r.restored_ms)) then
    return;
  end if;
  raise exception 'only the owner of the schema overwrites what is sealed' using errcode = 'insufficient_privilege';
end
$$;

-- Overwritten in two places: a master that is destroyed, and everything when the root key is changed.
create or replace function vault_keys_only_emptied() returns trigger language plpgsql as $$
begin
  if (new.utility, new.island, new.version) is distinct from (old.utility, old.island, old.version) then
    raise exception 'a vault key stays where it is' using errcode = 'restrict_violation';
  end if;
  if old.utility = '*masters' and octet_length(new.sealed) = 0 then
    return new;
  end if;
  -- What rewrap_vault does is done as the owner.
  if current_user <> (select pg_get_userbyid(relowner) from pg_class where oid = tg_relid) or octet_length(new.sealed) = 0
    or octet_length(old.sealed) = 0 then
    raise exception 'a vault key stays as it is' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create function rewrap_vault(former_proof bytea, new_kind text, new_parameters text, new_proof bytea,
  key_utilities text[], key_islands text[], key_versions int[], key_sealed bytea[],
  more_utilities text[], more_islands text[], more_versions int[], more_sealed bytea[],
  names text[], name_sealed bytea[]) returns boolean
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  changed bigint;
begin
  perform require_owner_or_restore();
  update vault_roots set kind = new_kind, parameters = new_parameters, proof = new_proof
    where utility = '*' and island = '*' and proof = former_proof;
  if not found then
    return false;
  end if;
  update vault_keys k set sealed = w.sealed
    from unnest(key_utilities, key_islands, key_versions, key_sealed) as w (utility, island, version, sealed)
    where (k.utility, k.island, k.version) = (w.utility, w.island, w.version) and octet_length(k.sealed) > 0;
  get diagnostics changed = row_count;
  if changed <> (select count(*) from vault_keys where octet_length(sealed) > 0) then
    return false;
  end if;
  insert into vault_keys (utility, island, version, sealed)
    select * from unnest(more_utilities, more_islands, more_versions, more_sealed);
  update named_secrets n set sealed = w.sealed from unnest(names, name_sealed) as w (name, sealed)
    where n.name = w.name and n.utility = '*' and n.island = '*';
  get diagnostics changed = row_count;
  return changed = (select count(*) from named_secrets);
end
$$;

create function reseal_keys(titles bytea[], setups smallint[], purposes smallint[], versions int[], former bytea[],
  anew bytea[]) returns void
  language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform require_owner_or_restore();
  update meter_keys k set sealed = w.anew
    from unnest(titles, setups, purposes, versions, former, anew) as w (title, setup, purpose, version, former, anew)
    where (k.system_title, k.setup, k.purpose, k.version) = (w.title, w.setup, w.purpose, w.version)
      and k.sealed = w.former and octet_length(w.anew) > 0;
end
$$;

create index ledger_vault_root on ledger (sequence) where kind in ('vault-root-changed', 'meter-keys-resealed');
