import { encode } from "../codec/codec.ts";
import { securityControl } from "../security/control.ts";
import { protectApdu } from "../security/envelope.ts";
import type { Ciphers } from "../security/ports.ts";
import { apdu } from "../xdlms/apdu.ts";
import type { DataNotification } from "../xdlms/notification.ts";
import type { SecuritySetupPort } from "./ports.ts";

/** How a push is protected: by the keys of a security setup, always in the general-glo-ciphering form. */
export interface PushProtection<Key> {
  readonly ciphers: Ciphers<Key>;
  readonly setup: SecuritySetupPort<Key>;
  /** Without a tag nobody can tell whether it was changed on the way; many meters leave it out all the same. */
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  /** The broadcast key instead of the unicast key. */
  readonly broadcast?: boolean;
}

/**
 * Builds the data-notification of a push, protected where `protection` is given.
 *
 * @throws DlmsError `key-missing` for a broadcast key that the meter does not hold; `out-of-range` when the counter is used up.
 */
export function buildPush<Key>(notification: DataNotification, protection?: PushProtection<Key>): Uint8Array {
  const plain = encode(apdu, { kind: "data-notification", value: notification });
  if (protection === undefined) return plain;
  const { ciphers, setup, authenticated, encrypted, broadcast = false } = protection;
  const keys = setup.keys.current();
  return protectApdu(
    ciphers,
    {
      encryption: keys.globalUnicastEncryptionKey,
      broadcast: keys.globalBroadcastEncryptionKey,
      authentication: keys.authenticationKey,
    },
    {
      form: "general-global",
      control: securityControl({ suite: setup.suite, authenticated, encrypted, broadcast }),
      originator: setup.systemTitle,
      counter: setup.counters.next(),
    },
    plain,
  );
}
