-- How far a machine's token reaches. Tokens from before could attach meters and start drills, and still can.
alter table machine_tokens add column scope text not null default 'operate' check (scope in ('read', 'operate', 'admin'));
alter table machine_tokens alter column scope drop default;
