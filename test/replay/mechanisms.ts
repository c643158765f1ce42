import type { KeyObject } from "node:crypto";
import { aesMechanism, ecdsaMechanism, type HlsMechanism, hashMechanism, type MechanismName } from "@meterkeep/dlms";
import { importPrivateKey, nodeCurves, nodeHashes } from "@meterkeep/dlms-node";
import type { RecordedKeyPair, Recording } from "./recording.ts";

/** The mechanism of one side, by what the recording says of secrets and key pairs; undefined where it does not. */
export function mechanismOf(
  name: MechanismName,
  recording: Recording,
  side: "client" | "server",
): HlsMechanism | undefined {
  const { password, suite, signingClient, signingServer } = recording;
  switch (name) {
    case "high":
      return password === undefined ? undefined : aesMechanism(password);
    case "high-md5":
    case "high-sha1":
    case "high-sha256":
      return password === undefined ? undefined : hashMechanism(nodeHashes, name, password);
    case "high-ecdsa": {
      const [own, other] = side === "client" ? [signingClient, signingServer] : [signingServer, signingClient];
      const signing = own === undefined ? undefined : privateKey(suite, own);
      if (signing === undefined || other === undefined) return undefined;
      return ecdsaMechanism<KeyObject>({ curves: nodeCurves, suite, signing, otherSigning: () => other.public });
    }
    default:
      return undefined;
  }
}

function privateKey(suite: number, pair: RecordedKeyPair): KeyObject | undefined {
  try {
    return importPrivateKey(suite === 2 ? "P-384" : "P-256", pair.private, pair.public);
  } catch {
    return undefined;
  }
}
