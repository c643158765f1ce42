-- What a seal went under is said of each.
alter table critical_seals alter column signed set not null;
