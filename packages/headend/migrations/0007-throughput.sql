-- What sessions write by the hundred a second costs less.

-- A ladder in two values: the steps as JSON ([[ms, to the meter, step, summary, octets, octets of plain or -1, protection,
-- evidence or null], …]) and all octets one after the other, each step's wire octets before its plain ones.
create table packed_ladders (
  utility_id smallint not null,
  island_id smallint not null,
  session_id uuid not null,
  steps text not null,
  octets bytea not null,
  primary key (utility_id, island_id, session_id),
  foreign key (utility_id, island_id, session_id) references sessions on delete cascade
);

insert into packed_ladders (utility_id, island_id, session_id, steps, octets)
select l.utility_id, l.island_id, l.session_id, x.steps, x.octets
from ladders l, lateral (
  select json_agg(json_build_array(round(extract(epoch from s.at) * 1000), s.to_meter, s.step, s.summary,
      octet_length(s.octets), coalesce(octet_length(s.plain), -1), s.protection, encode(s.evidence, 'hex')) order by s.n)::text
      as steps,
    string_agg(s.octets || coalesce(s.plain, ''), '' order by s.n) as octets
  from unnest(l.at, l.to_meter, l.step, l.summary, l.octets, l.plain, l.protection, l.evidence) with ordinality
    as s(at, to_meter, step, summary, octets, plain, protection, evidence, n)
) x
where x.steps is not null;

drop table ladders;
alter table packed_ladders rename to ladders;
alter index packed_ladders_pkey rename to ladders_pkey;

-- Ciphered octets do not compress, and what fits a page needs no second table.
alter table ladders alter column octets set storage external;
alter table ladders set (toast_tuple_target = 8160);
alter table evidence alter column octets set storage external;
alter table evidence set (toast_tuple_target = 8160);

-- Whoever writes these has just ended the meter's lease, whose row refers to the meter, and took the channel from its
-- table: looking both up again for every single row costs as much as writing it.
alter table evidence drop constraint evidence_utility_id_island_id_meter_id_fkey;
alter table register_readings drop constraint register_readings_utility_id_island_id_meter_id_fkey;
alter table interval_readings drop constraint interval_readings_utility_id_island_id_channel_id_fkey;

-- Rows that change with every session find room for their next version on the same page.
alter table work set (fillfactor = 50);
alter table meter_latest set (fillfactor = 50);
alter table interval_coverage set (fillfactor = 50);
alter table push_sources set (fillfactor = 50);
