import { c } from "@meterkeep/dlms";
import { oneOf, record, shortText } from "./wire.ts";

/** Somebody has put a copy of what opens the vault where this machine's loss does not reach. */
export const noteRootKeyCopyRequest = record({ where: shortText });

/** A token's PIN shall be tried once more: a person has seen to it; with `allowsLastTry` also where another wrong one may lock the token. */
export const retryPinRequest = record({ token: shortText, allowsLastTry: c.boolean });
export const retryPinResponse = record({
  answer: oneOf(["opened", "refused", "unreachable", "not-latched", "last-try"]),
});
