import { oneOf, record, shortText } from "./wire.ts";

/** Somebody has put a copy of what opens the vault where this machine's loss does not reach. */
export const noteRootKeyCopyRequest = record({ where: shortText });

/** A token's PIN shall be tried once more: a person has seen to it. */
export const retryPinRequest = record({ token: shortText });
export const retryPinResponse = record({ answer: oneOf(["opened", "refused", "unreachable", "not-latched"]) });
