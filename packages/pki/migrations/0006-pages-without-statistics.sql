-- A page of one authority's certificates is read in the order of an index and not sorted, also where nothing has gathered
-- statistics since a million of them were issued.
create index certificates_of_authority_by_end on certificates (authority, not_after_ms, serial);
