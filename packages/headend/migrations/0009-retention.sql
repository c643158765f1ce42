-- What is old is found by the evidence it rests on, whose numbers rise with time: such an index is a few pages, and costs an
-- insert next to nothing.
create index interval_readings_by_evidence on interval_readings using brin (evidence_id);
create index register_readings_by_evidence on register_readings using brin (evidence_id);
create index evidence_by_age on evidence using brin (received_at);
