-- By feeder, where there is one. Whole, the index began like the primary key, and where nobody has counted the rows yet it was
-- taken for as good: checking that a meter is there went through all meters of the place.
drop index meters_by_feeder;
create index meters_by_feeder on meters (utility_id, island_id, feeder_id, position) where feeder_id is not null;
