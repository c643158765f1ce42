-- When a runner last looked at a running campaign: what waits keeps its distances over a pause and over an outage.
alter table campaigns add column looked_at timestamptz;
