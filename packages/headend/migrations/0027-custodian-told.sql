-- How far the custodian's ledger was followed: nothing that it wrote while this head-end was away goes by unnoticed.
create table custodian_told (
  utility_id smallint not null,
  island_id smallint not null,
  sequence bigint not null,
  primary key (utility_id, island_id),
  foreign key (utility_id, island_id) references islands
);
