export type { TrustedManufacturer } from "../shipment/manufacturer.ts";
export { AuthorityWorld, OPERATOR } from "./authority-world.ts";
export { sold } from "./meter-sale.ts";
export { type OtherUtility, otherUtility } from "./other-utility.ts";
export { carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "./test-custody.ts";
export { countersFrom, journal, newHandheld, opened, visit } from "./test-field.ts";
export { TestMeter } from "./test-meter.ts";
