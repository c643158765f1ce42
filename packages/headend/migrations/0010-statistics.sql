-- The role at run time owns no table, and only an owner may have one counted.
create function refresh_statistics() returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  analyze utilities, islands, feeders, transformers, meters, trust, trust_history, takeovers, interval_coverage, meter_latest,
    work;
end
$$;
