-- Commands to meters (ADR 0024): campaigns, their targets, what the guard has refused, and sites that are never switched off.
-- A campaign is moved only by who holds its row; a target is taken by a conditional write under the lease of its meter.
alter table work drop constraint work_on_demand_check;
alter table work add constraint work_on_demand_check check (on_demand in ('read', 'verify', 'rotate', 'command'));

create table campaigns (
  utility_id smallint not null,
  island_id smallint not null,
  campaign_id uuid not null,
  operation text not null,
  parameters jsonb not null,
  -- As people read it.
  words text not null,
  command_class text not null check (command_class in ('C0', 'C1', 'C2', 'C3')),
  direction text not null check (direction in ('off', 'on', 'none')),
  selection jsonb not null,
  -- SHA-256 over operation, parameters and targets: the same again is known by it (MC-18).
  sameness bytea not null,
  requester text not null,
  requester_id text not null,
  reason text not null,
  note text not null,
  work_order text not null,
  urgency text not null check (urgency in ('ordinary', 'emergency')),
  created_at timestamptz not null,
  not_before timestamptz not null,
  not_after timestamptz not null,
  dry_run jsonb not null,
  targets integer not null,
  load_w bigint not null,
  waves jsonb not null,
  -- SHA-384 and octets of what is handed to the custodian; null for what is quarantined or only reads.
  manifest_hash text,
  manifest bytea,
  state text not null check (state in
    ('quarantined', 'awaiting-approval', 'running', 'paused', 'stopped', 'done', 'expired')),
  sentence text not null,
  submitted boolean not null default false,
  -- The wave that is under way, from 0, and since when.
  wave smallint not null default 0,
  wave_begun_at timestamptz,
  released_from uuid,
  released_by text,
  primary key (utility_id, island_id, campaign_id),
  foreign key (utility_id, island_id) references islands
);

create index campaigns_open on campaigns (utility_id, island_id, state)
  where state in ('awaiting-approval', 'running', 'paused');
create index campaigns_by_age on campaigns (utility_id, island_id, created_at);

create table campaign_targets (
  utility_id smallint not null,
  island_id smallint not null,
  campaign_id uuid not null,
  meter_id integer not null,
  system_title text not null,
  feeder text not null,
  transformer text not null,
  load_w integer not null,
  wave smallint not null,
  delay_seconds integer not null,
  state text not null check (state in ('waiting', 'dispatched', 'attempted', 'done', 'refused', 'failed', 'stale',
    'uncertain', 'stopped', 'quarantined')),
  rule text,
  sentence text not null default '',
  due_at timestamptz,
  expires_at timestamptz,
  attempted_at timestamptz,
  -- Of the lease under which it was taken.
  epoch bigint,
  settled_at timestamptz,
  session_id uuid,
  supply text,
  power_w double precision,
  -- Nobody answered, or the relay stood otherwise: what stops a wave (MC-13, MC-14).
  trouble text check (trouble in ('lost', 'unexpected')),
  evidence jsonb not null default '[]',
  primary key (utility_id, island_id, campaign_id, meter_id),
  foreign key (utility_id, island_id, campaign_id) references campaigns,
  foreign key (utility_id, island_id, meter_id) references meters
);

create index campaign_targets_of_meter on campaign_targets (utility_id, island_id, meter_id, state);
create index campaign_targets_attempted on campaign_targets (utility_id, island_id, attempted_at)
  where attempted_at is not null;

-- Everything that was decided about a campaign, oldest first. Never altered.
create table campaign_history (
  utility_id smallint not null,
  island_id smallint not null,
  campaign_id uuid not null,
  entry_id bigint generated always as identity,
  at timestamptz not null,
  by_whom text not null,
  what text not null,
  sentence text not null,
  primary key (utility_id, island_id, campaign_id, entry_id),
  foreign key (utility_id, island_id, campaign_id) references campaigns
);

-- What the guard has refused: a campaign as a whole, or some meters of it by one rule.
create table command_quarantine (
  utility_id smallint not null,
  island_id smallint not null,
  item_id uuid not null,
  campaign_id uuid not null,
  rules text[] not null,
  sentence text not null,
  meters text[] not null,
  load_w bigint not null,
  releasable boolean not null,
  at timestamptz not null,
  state text not null default 'waiting' check (state in ('waiting', 'released', 'discarded')),
  decided_by text,
  decided_at timestamptz,
  decision text,
  released_as uuid,
  primary key (utility_id, island_id, item_id),
  foreign key (utility_id, island_id, campaign_id) references campaigns
);

create index command_quarantine_by_age on command_quarantine (utility_id, island_id, at);

create table protected_sites (
  utility_id smallint not null,
  island_id smallint not null,
  meter_id integer not null,
  kind text not null,
  note text not null,
  set_by text not null,
  set_at timestamptz not null,
  primary key (utility_id, island_id, meter_id),
  foreign key (utility_id, island_id, meter_id) references meters
);
