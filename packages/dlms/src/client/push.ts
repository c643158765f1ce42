import { decode } from "../codec/codec.ts";
import { DlmsError } from "../errors.ts";
import type { ProtectionKeys } from "../security/content.ts";
import { parseProtectedApdu, unprotectApdu } from "../security/envelope.ts";
import type { Ciphers } from "../security/ports.ts";
import { protectionFormOf } from "../security/tags.ts";
import type { SystemTitle } from "../system-title.ts";
import { type Apdu, apdu as anyApdu } from "../xdlms/apdu.ts";
import type { DataNotification } from "../xdlms/notification.ts";

/** How the keys of whoever pushed are found. */
export interface PushKeys<Key> {
  readonly ciphers: Ciphers<Key>;
  /** The keys of a meter by its system title; undefined for one that is not known. */
  keysOf(title: SystemTitle): ProtectionKeys<Key> | undefined;
}

/** A push as it came out of its protection. */
export interface OpenedPush {
  readonly notification: DataNotification;
  /** The data-notification in clear. */
  readonly plain: Uint8Array;
  /** Who protected it; undefined for a plain push, which names nobody. */
  readonly originator: SystemTitle | undefined;
  /** False: it could have been made or changed by anybody on the way. */
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  /** To be judged against those seen before: this function remembers nothing. Undefined for a plain push. */
  readonly invocationCounter: number | undefined;
}

/**
 * Opens one APDU that a meter sent unasked: a data-notification, plain or in general-glo-ciphering.
 *
 * @throws DlmsError `key-missing` for an unknown meter, `authentication-failed`, `protection-mismatch` for another form
 * of protection; DecodeError for what is no data-notification.
 */
export function openPush<Key>(octets: Uint8Array, keys: PushKeys<Key>): OpenedPush {
  if (protectionFormOf(octets[0] ?? 0) === undefined)
    return {
      notification: notificationIn(octets),
      plain: octets,
      originator: undefined,
      authenticated: false,
      encrypted: false,
      invocationCounter: undefined,
    };
  const parsed = parseProtectedApdu(octets);
  const { form, originator } = parsed;
  if (form !== "general-global" || originator === undefined)
    throw new DlmsError("protection-mismatch", "a push is ciphered in general-glo-ciphering and names its originator");
  const found = keys.keysOf(originator);
  if (found === undefined) throw new DlmsError("key-missing", "the keys of the meter that pushed are not known");
  const { plain, tag, control, counter } = unprotectApdu(keys.ciphers, found, parsed);
  return {
    notification: notificationIn(plain),
    plain,
    originator,
    authenticated: tag === "verified",
    encrypted: control.encrypted,
    invocationCounter: counter,
  };
}

function notificationIn(plain: Uint8Array): DataNotification {
  const value: Apdu = decode(anyApdu, plain);
  if (value.kind !== "data-notification")
    throw new DlmsError("wrong-type", `"${value.kind}" where a data-notification belongs`);
  return value.value;
}
