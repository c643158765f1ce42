import { SecretKey } from "@meterkeep/dlms-node";
import { openSender } from "../departure/sender.ts";
import { transferFile } from "../departure/transfer-file.ts";
import { linesOf } from "../shipment/lines.ts";
import { trustedManufacturer } from "../shipment/manufacturer.ts";
import { readShipment, type ShippedMeter } from "../shipment/reader.ts";
import { publicKeysOf, type RecipientPublicKeys } from "../shipment/recipient.ts";
import { testRecipient } from "./test-recipient.ts";

/** Public keys of who signs, as `manufacturer.json` has them. */
export type SenderKeys = Parameters<typeof trustedManufacturer>[0];

/** A utility somewhere else, without a custodian: it opens what is sealed to it, and signs what it gives on. */
export interface OtherUtility {
  /** What others seal to. */
  readonly recipient: RecipientPublicKeys;
  /** What others trust. */
  readonly sender: SenderKeys;
  /** The meters of a transfer, with the keys that are on them. */
  open(file: Uint8Array, from: SenderKeys): Promise<readonly ShippedMeter[]>;
  /** Gives meters on as they are, with the very same keys, which it has seen. */
  give(meters: readonly ShippedMeter[], to: Pick<RecipientPublicKeys, "ecdh" | "mlkem">): string;
}

/** Makes a utility with keys of its own, which lie open: nobody but a test has them. */
export async function otherUtility(name: string, flag: string): Promise<OtherUtility> {
  const secrets = new Map<string, Uint8Array>();
  const keys = await openSender(
    {
      sealNamed: async (_, secret) => secret.lend((octets) => Uint8Array.from(octets)),
      unsealNamed: async (_, octets) => SecretKey.copy(octets),
    },
    {
      namedSecret: async (id) => secrets.get(id),
      insertNamedSecret: async (id, octets) => {
        secrets.set(id, octets);
        return octets;
      },
    },
  );
  const recipient = testRecipient();
  const base64 = (octets: Uint8Array) => Buffer.from(octets).toString("base64url");
  const sender = {
    name,
    flag,
    ecdsaPublicKey: base64(keys.ecdsaPublicKey),
    mldsaPublicKey: base64(keys.mldsaPublicKey),
  };
  return {
    recipient: recipient.publicKeys,
    sender,
    open: async (file, from) => {
      const meters: ShippedMeter[] = [];
      let isVerified = false;
      const trust = { manufacturers: [trustedManufacturer(from)], recipient };
      for await (const item of readShipment(linesOf([file]), trust)) {
        if (item.kind === "meter") meters.push(item.meter);
        isVerified ||= item.kind === "verified";
      }
      if (!isVerified) throw new Error("the transfer is not whole");
      return meters;
    },
    give: (meters, { ecdh, mlkem }) => {
      const header = { sender: { flag, name }, customer: "who had them", created: new Date() };
      return transferFile(
        header,
        meters.map((meter) => ({ meter, keys: meter.keys, counter: meter.counter })),
        publicKeysOf(ecdh, mlkem),
        keys,
      ).text;
    },
  };
}
