import type { Infer } from "../codec/codec.ts";
import { KEY_IDS, type SecuritySetup } from "../cosem/classes/security-setup.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import { DlmsError } from "../errors.ts";
import { answerKeyAgreement } from "../security/key-agreement.ts";
import { STANDARD_SECURITY } from "../security/profile.ts";
import { SECURITY_SUITES } from "../security/suites.ts";
import type { SystemTitle } from "../system-title.ts";
import type { Device, KeyPurpose, SecuritySetupPort } from "./ports.ts";

type KeyTransfer = Infer<typeof SecuritySetup.methods.keyTransfer.parameter>;
type KeyAgreement = Infer<typeof SecuritySetup.methods.keyAgreement.parameter>;

/**
 * key_transfer: unwraps the keys under the master key in force, all of them before the first one is installed. A key that
 * does not unwrap, has the wrong length or comes twice refuses the array.
 */
export function transferKeys(
  { keyWrap }: Pick<Device<unknown>, "keyWrap">,
  setup: SecuritySetupPort<unknown>,
  keys: KeyTransfer,
): AccessRefusal | undefined {
  const { keyEncryptionKey } = setup.keys.current();
  const { keyBytes } = SECURITY_SUITES[setup.suite];
  if (repeats(keys)) return refuse("other-reason");
  const unwrapped: NewKey[] = [];
  for (const { keyId, keyWrapped } of keys) {
    const octets = keyWrapped.length === keyBytes + 8 ? keyWrap.unwrap(keyEncryptionKey, keyWrapped) : undefined;
    if (octets === undefined) return refuseAll(unwrapped);
    unwrapped.push({ purpose: keyId, octets });
  }
  return setup.keys.install(unwrapped) ? undefined : refuseAll(unwrapped);
}

/**
 * key_agreement: verifies the client's ephemeral keys, answers each with one of the meter's, and installs what comes of
 * them, all or none. The answer still goes under the keys before.
 */
export function agreeOnKeys(
  setup: SecuritySetupPort<unknown>,
  client: SystemTitle | undefined,
  keys: KeyAgreement,
): KeyAgreement | AccessRefusal {
  const { suite, systemTitle, general } = setup;
  if (general === undefined || client === undefined || repeats(keys)) return refuse("other-reason");
  const { signing, otherSigning } = general.keysFor(client);
  if (signing === undefined || otherSigning === undefined) return refuse("other-reason");
  const { platform, profile = STANDARD_SECURITY } = general;
  const agreement = { platform, suite, profile, signing, otherSigning, client, server: systemTitle };
  const agreed: NewKey[] = [];
  const answers = [];
  for (const { keyId, keyData } of keys) {
    try {
      const answer = answerKeyAgreement(agreement, KEY_IDS[keyId], keyData);
      agreed.push({ purpose: keyId, octets: answer.octets });
      answers.push({ keyId, keyData: answer.keyData });
    } catch (error) {
      if (!(error instanceof DlmsError)) throw error;
      return refuseAll(agreed);
    }
  }
  return setup.keys.install(agreed) ? answers : refuseAll(agreed);
}

interface NewKey {
  readonly purpose: KeyPurpose;
  readonly octets: Uint8Array;
}

/** Keys that are not taken leave nothing behind. */
function refuseAll(keys: readonly NewKey[]): AccessRefusal {
  for (const { octets } of keys) octets.fill(0);
  return refuse("other-reason");
}

function repeats(keys: readonly { readonly keyId: KeyPurpose }[]): boolean {
  return new Set(keys.map(({ keyId }) => keyId)).size !== keys.length;
}
