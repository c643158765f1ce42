/** Reads a meter that asks for no keys: `node examples/dlms/read-a-meter.ts [PORT]`. */
import { AssociationLn, localAssociator, openSession, Register, remote } from "@meterkeep/dlms";
import { connectWrapper } from "@meterkeep/dlms-node";
import { ENERGY, PUBLIC_CLIENT } from "./keys.ts";

const port = Number(process.argv[2] ?? 4059);
await using line = await connectWrapper({ host: "127.0.0.1", port, clientSap: PUBLIC_CLIENT, serverSap: 1 });
await using session = await openSession({
  exchange: line.exchange,
  associator: localAssociator({ authentication: { kind: "none" } }),
});

for (const { classId, version, logicalName } of await remote(session, AssociationLn, "0.0.40.0.0.255").get(
  "objectList",
))
  console.log(`class ${classId} version ${version} at ${logicalName}`);

const { value, scalerUnit } = await remote(session, Register, ENERGY).getAll("value", "scalerUnit");
console.log(`${Number(value.value) * 10 ** scalerUnit.scaler} of unit ${scalerUnit.unit}`);
