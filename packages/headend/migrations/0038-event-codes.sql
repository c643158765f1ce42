-- A meter's event code may be a double-long-unsigned (up to 2^32 - 1), or longer.
alter table meter_events alter column code type bigint;
