import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runSupervised } from "@meterkeep/api/supervised";
import { FACTORY_CONFIG } from "@meterkeep/api/supervisor";
import { FLAG } from "./identity.ts";
import { manufacture } from "./manufacture.ts";
import { writeDurably } from "./private-file.ts";
import { openSigningKeys } from "./signing-keys.ts";

await runSupervised(FACTORY_CONFIG, async (config, supervisor) => {
  mkdirSync(config.stateDirectory, { recursive: true, mode: 0o700 });
  const { keys, created } = openSigningKeys(config.stateDirectory);
  switch (config.action) {
    case "identify":
      writeDurably(
        join(config.exchangeDirectory, "manufacturer.json"),
        JSON.stringify({
          name: config.manufacturerName,
          flag: FLAG,
          keyId: keys.keyId,
          ecdsaPublicKey: Buffer.from(keys.ecdsaPublicKey).toString("base64url"),
          mldsaPublicKey: Buffer.from(keys.mldsaPublicKey).toString("base64url"),
        }),
        0o644,
      );
      supervisor.send({
        type: "step",
        text: created ? "The manufacturer made its signing keys" : "The manufacturer opened its signing keys",
      });
      return undefined;
    case "produce": {
      const { meters, shipment } = manufacture(config, keys);
      supervisor.send({ type: "step", text: `${meters} meters were made and shipped, sealed to the custodian` });
      supervisor.send({ type: "ready", facts: { meters, shipment } });
      return undefined;
    }
    default:
      return config.action satisfies never;
  }
});
