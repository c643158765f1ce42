import { withTestDatabase } from "@meterkeep/postgres/testing";
import { enrolmentRecordsContract } from "../testing/enrolment-records-contract.ts";
import { memoryCustodyStore } from "./memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "./postgres-store.ts";

enrolmentRecordsContract("memory", (body) => body(memoryCustodyStore()));
enrolmentRecordsContract("PostgreSQL", (body) =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => body(postgresCustodyStore(pool))),
);
