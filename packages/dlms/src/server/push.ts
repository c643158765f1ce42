import { NO_BYTES } from "../bytes.ts";
import { encode } from "../codec/codec.ts";
import { DlmsError } from "../errors.ts";
import { securityControl } from "../security/control.ts";
import { protectApdu } from "../security/envelope.ts";
import { sealGeneralCiphering } from "../security/general-ciphering.ts";
import type { KeySource } from "../security/key-info.ts";
import { signLayer } from "../security/layers.ts";
import type { Ciphers } from "../security/ports.ts";
import { STANDARD_SECURITY } from "../security/profile.ts";
import type { SystemTitle } from "../system-title.ts";
import { apdu } from "../xdlms/apdu.ts";
import type { DataNotification } from "../xdlms/notification.ts";
import type { SecuritySetupPort } from "./ports.ts";

/** How a push is protected: by the keys of a security setup, in a general form, since pushes have no other. */
export interface PushProtection<Key> {
  readonly ciphers: Ciphers<Key>;
  readonly setup: SecuritySetupPort<Key>;
  /** Without a tag nobody can tell whether it was changed on the way; many meters leave it out all the same. */
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  /** The broadcast key instead of the unicast key. */
  readonly broadcast?: boolean;
  /** Beyond general-glo-ciphering, with the key pairs of the setup. */
  readonly general?: GeneralPush;
}

/** A push that is signed, or ciphered with another key than the global ones. */
export interface GeneralPush {
  /** For whom; without it whoever holds the key. Agreed keys need it. */
  readonly recipient?: SystemTitle;
  /** Never given before. */
  readonly transactionId: Uint8Array;
  readonly signs: boolean;
  /** In general-ciphering, where its key comes from; absent for general-glo-ciphering. */
  readonly source?: KeySource;
}

/**
 * Builds the data-notification of a push, protected where `protection` is given.
 *
 * @throws DlmsError `key-missing` for a key that the meter does not hold; `out-of-range` when the counter is used up.
 */
export function buildPush<Key>(notification: DataNotification, protection?: PushProtection<Key>): Uint8Array {
  const plain = encode(apdu, { kind: "data-notification", value: notification });
  if (protection === undefined) return plain;
  const { ciphers, setup, authenticated, encrypted, broadcast = false, general } = protection;
  const current = setup.keys.current();
  const keys = {
    encryption: current.globalUnicastEncryptionKey,
    broadcast: current.globalBroadcastEncryptionKey,
    authentication: current.authenticationKey,
    keyEncryption: current.keyEncryptionKey,
  };
  const { suite, systemTitle: originator } = setup;
  const form = { suite, authenticated, encrypted } as const;
  if (general === undefined) {
    const control = securityControl({ ...form, broadcast });
    return protectApdu(ciphers, keys, { form: FORM, control, originator, counter: setup.counters.next() }, plain);
  }
  if (setup.general === undefined) throw new DlmsError("key-missing", "the security setup has no key pairs");
  const { recipient, transactionId, signs, source } = general;
  const { platform, profile = STANDARD_SECURITY } = setup.general;
  const whole = { platform, suite, profile, keys: { ...keys, ...setup.general.keysFor(recipient) } };
  const header = { transactionId, originator, recipient, dateTime: NO_BYTES, otherInformation: NO_BYTES };
  const text = signs ? signLayer(whole, header, plain) : plain;
  if (!authenticated && !encrypted) return text;
  const counter = setup.counters.next();
  if (source !== undefined) {
    const control = securityControl(form);
    return sealGeneralCiphering(whole, { ...header, control, counter, source }, text);
  }
  const control = securityControl({ ...form, broadcast });
  return protectApdu(ciphers, keys, { form: FORM, control, originator, counter }, text);
}

const FORM = "general-global";
