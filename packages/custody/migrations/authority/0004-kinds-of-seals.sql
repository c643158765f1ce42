-- What a seal went under: signed, under a key made for it alone, or under the unicast key. What shows that the meter can do it
-- no more is different for each. Null in rows from before it was noted.
alter table critical_seals add column signed boolean;
