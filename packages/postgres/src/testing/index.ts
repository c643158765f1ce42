export { freePort } from "./free-port.ts";
export {
  openTestDatabase,
  type TestDatabase,
  type TestDatabaseOptions,
  testServerUrl,
  withTestDatabase,
} from "./test-database.ts";
