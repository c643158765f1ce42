import { withTestDatabase } from "@meterkeep/postgres/testing";
import { rotationRecordsContract } from "../testing/rotation-records-contract.ts";
import { memoryCustodyStore } from "./memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "./postgres-store.ts";

rotationRecordsContract("memory", (body) => body(memoryCustodyStore()));
rotationRecordsContract("PostgreSQL", (body) =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => body(postgresCustodyStore(pool))),
);
