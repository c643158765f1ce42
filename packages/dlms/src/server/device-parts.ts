import { DlmsError } from "../errors.ts";
import type { AssociationDefinition } from "./association-model.ts";
import type { DeviceModel } from "./device-model.ts";
import type { Device } from "./ports.ts";

/** What only meters with keys or passwords need; without them a client of theirs is turned away. */
type Optional = "ciphers" | "keyWrap" | "importKey" | "random" | "securitySetup" | "checkPassword" | "setPassword";

/** A device as a server is given it: a meter without keys and passwords is its state alone. */
export type DeviceParts<Key, State = unknown> = Omit<Device<Key, State>, Optional> &
  Partial<Pick<Device<Key, State>, Optional>>;

const OPTIONAL: readonly Optional[] = [
  "ciphers",
  "keyWrap",
  "importKey",
  "random",
  "securitySetup",
  "checkPassword",
  "setPassword",
];

/** What the way in of an association needs of the device. */
const NEEDED: Readonly<Record<AssociationDefinition["authentication"]["kind"], readonly Optional[]>> = {
  none: [],
  lls: ["checkPassword"],
  gmac: ["ciphers", "importKey", "random", "securitySetup"],
  hls: ["random"],
};
const NEEDED_WITH_KEYS: readonly Optional[] = ["ciphers", "importKey", "securitySetup"];

/**
 * A whole device: what was left out refuses.
 *
 * @throws DlmsError `invalid-value` when an association of the model needs what is not there.
 */
export function completeDevice<Key, State>(
  { bySap }: DeviceModel<State>,
  parts: DeviceParts<Key, State>,
): Device<Key, State> {
  for (const { definition } of bySap.values()) {
    const { name, authentication, securitySetup } = definition;
    const needed = [...NEEDED[authentication.kind], ...(securitySetup === undefined ? [] : NEEDED_WITH_KEYS)];
    const missing = [...new Set(needed)].filter((part) => parts[part] === undefined);
    if (missing.length > 0)
      throw new DlmsError(
        "invalid-value",
        `the association "${name}" (${authentication.kind}${securitySetup === undefined ? "" : ", with a security setup"}) needs ${missing.join(", ")} of its device`,
      );
  }
  if (OPTIONAL.every((part) => parts[part] !== undefined)) return parts as Device<Key, State>;
  const absent = (part: Optional) => (): never => {
    throw new DlmsError("key-missing", `the device has no ${part}`);
  };
  const { state, lockedOut, securityProfile, associationEdits, onEvent, hlsMechanism } = parts;
  return {
    state,
    ciphers: parts.ciphers ?? { seal: absent("ciphers"), open: absent("ciphers"), crypt: absent("ciphers") },
    keyWrap: parts.keyWrap ?? { wrap: absent("keyWrap"), unwrap: absent("keyWrap") },
    importKey: parts.importKey ?? absent("importKey"),
    random: parts.random ?? absent("random"),
    securitySetup: (logicalName) => parts.securitySetup?.(logicalName),
    checkPassword: (association, password) => parts.checkPassword?.(association, password) ?? false,
    setPassword: (association, password) => parts.setPassword?.(association, password) ?? false,
    securityProfile,
    associationEdits,
    onEvent,
    hlsMechanism,
    ...(lockedOut === undefined ? {} : { lockedOut: (association) => parts.lockedOut?.(association) ?? false }),
  };
}
