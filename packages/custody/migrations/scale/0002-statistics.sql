-- After an import the planner has to know how many rows there are now, else it looks at every row for every meter until autovacuum
-- comes by. Statistics are made by who owns the tables; the role at run time owns none, and a privilege for it (MAINTAIN) there
-- is since PostgreSQL 17 only. With this it may do that and nothing else.
create function take_statistics() returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  analyze meters, meter_keys, key_check_values, takeovers;
end
$$;
