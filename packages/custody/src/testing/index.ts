export { AuthorityWorld } from "./authority-world.ts";
export { carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "./test-custody.ts";
