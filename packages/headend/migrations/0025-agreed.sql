-- A takeover whose keys went under a master that both sides agreed on.
alter table takeovers drop constraint takeovers_grade_check;
alter table takeovers add constraint takeovers_grade_check check (grade in ('none', 'exposed', 'shielded', 'agreed'));
