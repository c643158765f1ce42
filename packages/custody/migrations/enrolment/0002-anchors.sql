-- SHA-256 of the trust anchors that a meter was made with, as the line of its shipment signs (ADR 0031).
alter table meters add column anchors text[] not null default '{}';
