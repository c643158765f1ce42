import { decode } from "../codec/codec.ts";
import { DlmsError } from "../errors.ts";
import type { ProtectionKeys } from "../security/content.ts";
import { parseProtectedApdu } from "../security/envelope.ts";
import { parseGeneralCiphering } from "../security/general-ciphering.ts";
import { parseGeneralSigning } from "../security/general-signing.ts";
import { openLayers } from "../security/layers.ts";
import type { GeneralSetup } from "../security/message-key.ts";
import type { Ciphers } from "../security/ports.ts";
import { type ProtectionForm, protectionFormOf } from "../security/tags.ts";
import type { SystemTitle } from "../system-title.ts";
import { type Apdu, apdu as anyApdu } from "../xdlms/apdu.ts";
import type { DataNotification } from "../xdlms/notification.ts";

/** How the keys of whoever pushed are found. */
export interface PushKeys<Key> {
  readonly ciphers: Ciphers<Key>;
  /** The keys of a meter by its system title; undefined for one that is not known. */
  keysOf(title: SystemTitle): ProtectionKeys<Key> | undefined;
  /** What a meter is known by where it pushes in general-ciphering or signs: without it neither is opened. */
  generalOf?(title: SystemTitle): GeneralSetup<Key> | undefined;
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
  /** It bears the meter's own signature, which nobody else can make. */
  readonly signed: boolean;
  /** To be judged against those seen before: this function remembers nothing. Undefined for a push that is not ciphered. */
  readonly invocationCounter: number | undefined;
  /** Likewise, and all there is where a key was made for this push alone; in the forms that carry one. */
  readonly transactionId: Uint8Array | undefined;
}

/**
 * Opens one APDU that a meter sent unasked: a data-notification, plain, in general-glo-ciphering or in general-ciphering,
 * signed or not.
 *
 * @throws DlmsError `key-missing` for an unknown meter, `authentication-failed`, `protection-mismatch` for another form
 * of protection; DecodeError for what is no data-notification.
 */
export function openPush<Key>(octets: Uint8Array, keys: PushKeys<Key>): OpenedPush {
  const originator = originatorOf(octets);
  const layers = {
    ciphers: keys.ciphers,
    keysFor: (form: ProtectionForm) => globalKeys(keys, form, originator),
    get general() {
      return originator === undefined ? undefined : keys.generalOf?.(originator);
    },
  };
  const { plain, ciphering, signed, transactionId } = openLayers(layers, { originator }, octets);
  return {
    notification: notificationIn(plain),
    plain,
    originator,
    authenticated: ciphering?.tag === "verified" || signed,
    encrypted: ciphering?.control.encrypted === true,
    signed,
    invocationCounter: ciphering?.counter,
    transactionId,
  };
}

/** Who the outermost layer says has made it; undefined for a plain push. @throws DlmsError `protection-mismatch` */
function originatorOf(octets: Uint8Array): SystemTitle | undefined {
  const form = protectionFormOf(octets[0] ?? 0);
  if (form === undefined) return undefined;
  const named =
    form === "general-signing"
      ? parseGeneralSigning(octets).header.originator
      : form === "general-ciphering"
        ? parseGeneralCiphering(octets).header.originator
        : parseProtectedApdu(octets).originator;
  if (named === undefined)
    throw new DlmsError("protection-mismatch", "a push is protected in a general form and names its originator");
  return named;
}

function globalKeys<Key>(
  keys: PushKeys<Key>,
  form: ProtectionForm,
  originator: SystemTitle | undefined,
): ProtectionKeys<Key> {
  if (form !== "general-global")
    throw new DlmsError("protection-mismatch", "a push outside an association is not ciphered in this form");
  const found = originator === undefined ? undefined : keys.keysOf(originator);
  if (found === undefined) throw new DlmsError("key-missing", "the keys of the meter that pushed are not known");
  return found;
}

function notificationIn(plain: Uint8Array): DataNotification {
  const value: Apdu = decode(anyApdu, plain);
  if (value.kind !== "data-notification")
    throw new DlmsError("wrong-type", `"${value.kind}" where a data-notification belongs`);
  return value.value;
}
