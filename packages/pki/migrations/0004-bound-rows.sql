-- Rows that decide what is trusted carry a MAC under a key of the vault (ADR 0031): whoever owns this database makes none.
alter table authorities add column mac bytea check (octet_length(mac) = 32);
alter table enrolment_passwords add column mac bytea check (octet_length(mac) = 32);
