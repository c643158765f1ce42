-- Security setups beside the first are taken over and rotated in their turn. Few meters have one: these are found without the others.
create index takeovers_further on takeovers (system_title, setup) where setup <> 0 and subject = 'keys';
create index takeovers_further_open on takeovers (opened_ms) where setup <> 0 and subject = 'keys' and closed_ms is null;
