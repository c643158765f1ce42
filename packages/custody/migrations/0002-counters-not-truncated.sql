-- A row trigger does not see TRUNCATE, after which the counters would start anew under the keys that are in use.

create function counters_are_never_truncated() returns trigger language plpgsql as $$
begin
  raise exception 'an invocation counter never goes down' using errcode = 'restrict_violation';
end
$$;

create trigger send_counters_never_truncated before truncate on send_counters
  for each statement execute function counters_are_never_truncated();
