-- Meters whose address changes, and who say so themselves. Where such a meter was last proven to be, in place of the host of its
-- route; and where it says that it is now, which a session has yet to prove.
alter table meters add column moved_host text, add column announced_host text;
