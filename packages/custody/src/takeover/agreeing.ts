import type { KeyObject } from "node:crypto";
import {
  completeKeyAgreement,
  type Data,
  DlmsError,
  KEY_IDS,
  type KeyAgreement,
  type OfferedKey,
  offerKeyAgreement,
  STANDARD_SECURITY,
  type SystemTitle,
} from "@meterkeep/dlms";
import { nodePlatform, SecretKey } from "@meterkeep/dlms-node";
import { securitySetupName } from "../protocol/meter-facts.ts";
import { keyAgreementRequest } from "../protocol/requests.ts";

const MASTER = KEY_IDS.keyEncryptionKey;

/** Whom a master is agreed on with. */
export interface AgreeingParties {
  readonly suite: 1 | 2;
  /** Our private signing key. */
  readonly signing: KeyObject;
  /** Public signing keys that the meter may use, the likeliest first. */
  readonly believed: readonly Uint8Array[];
  readonly client: SystemTitle;
  readonly server: SystemTitle;
  readonly setup: number;
}

/**
 * Our side of agreements on a meter's master (Green Book, key_agreement; C(2e, 0s)). Each offer has an ephemeral key of its
 * own, in this process alone; what was agreed on is the caller's to keep.
 */
export class Agreeing {
  readonly #parties: AgreeingParties;
  #offered: OfferedKey<KeyObject> | undefined;

  constructor(parties: AgreeingParties) {
    this.#parties = parties;
  }

  /** The key_agreement with a fresh public key, signed. */
  offer(): Uint8Array {
    const { believed, setup } = this.#parties;
    this.#offered = offerKeyAgreement(this.#with(believed[0] as Uint8Array), MASTER);
    return keyAgreementRequest(securitySetupName(setup), MASTER, this.#offered.keyData);
  }

  /** The master that the meter's answer comes to; undefined where it is not signed by a key that the meter is known by. */
  complete(returned: Data | undefined): SecretKey | undefined {
    const offered = this.#offered;
    this.#offered = undefined;
    const keyData = keyDataIn(returned);
    if (offered === undefined || keyData === undefined) return undefined;
    for (const key of this.#parties.believed)
      try {
        return SecretKey.take(completeKeyAgreement(this.#with(key), offered, keyData));
      } catch (error) {
        if (!(error instanceof DlmsError)) throw error;
      }
    return undefined;
  }

  #with(otherSigning: Uint8Array): KeyAgreement<KeyObject> {
    const { suite, signing, client, server } = this.#parties;
    return { platform: nodePlatform, suite, profile: STANDARD_SECURITY, signing, otherSigning, client, server };
  }
}

/** key_data of the one answer there may be: for the master. */
function keyDataIn(returned: Data | undefined): Uint8Array | undefined {
  if (returned?.type !== "array" || returned.value.length !== 1) return undefined;
  const [answer] = returned.value;
  if (answer?.type !== "structure" || answer.value.length !== 2) return undefined;
  const [keyId, keyData] = answer.value;
  const isOfMaster = keyId?.type === "enum" && keyId.value === MASTER;
  return isOfMaster && keyData?.type === "octet-string" ? keyData.value : undefined;
}
