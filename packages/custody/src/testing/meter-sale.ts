import assert from "node:assert/strict";
import type { CustodianRequest, CustodianResponse } from "@meterkeep/api/custodian";
import type { SystemTitle } from "@meterkeep/dlms";
import { type TrustedManufacturer, trustedManufacturer } from "../shipment/manufacturer.ts";
import { type AuthorityWorld, OPERATOR } from "./authority-world.ts";
import type { TestCustody } from "./test-custody.ts";

/** A utility with its custodian, and those whose files it takes. */
export interface TestUtility {
  readonly name: string;
  readonly flag: string;
  readonly custody: TestCustody;
  readonly world: AuthorityWorld;
  readonly trusted: TrustedManufacturer[];
}

/** What the next owner has to know to trust the file of a transfer. */
export function senderOf(
  sender: Pick<TestUtility, "flag" | "name">,
  transfer: NonNullable<CustodianResponse<"departMeters">["transfer"]>,
): TrustedManufacturer {
  return trustedManufacturer({
    flag: sender.flag,
    name: sender.name,
    ecdsaPublicKey: Buffer.from(transfer.ecdsaPublicKey).toString("base64url"),
    mldsaPublicKey: Buffer.from(transfer.mldsaPublicKey).toString("base64url"),
  });
}

/**
 * A meter given by one utility to another, which trusts the sender from then on.
 * @returns the file it comes with
 */
export async function sold(
  meter: SystemTitle,
  from: Pick<TestUtility, "name" | "flag" | "world">,
  to: Pick<TestUtility, "name" | "custody" | "trusted">,
  how: "transferred" | "returned" = "transferred",
): Promise<Uint8Array> {
  const { ecdh, mlkem } = to.custody.custody.recipient;
  const request: CustodianRequest<"departMeters"> = {
    meters: [meter],
    how,
    reason: "sold",
    sender: { flag: from.flag, name: from.name },
    recipient: { name: to.name, ecdhPublicKey: ecdh, mlkemPublicKey: mlkem },
  };
  const { transfer } = await from.world.agreed(() => from.world.service.departMeters(request, OPERATOR));
  assert.ok(transfer !== undefined);
  to.trusted.push(senderOf(from, transfer));
  return transfer.file;
}
