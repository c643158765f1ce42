-- How many certificates a requester has ordered is asked of the ledger (ADR 0057).
drop index certificates_by_requester;
