export { HSM_ERROR_CODES, HsmError, type HsmErrorCode } from "./errors.ts";
export { type FoundToken, listTokens } from "./list-tokens.ts";
export type {
  AgreementPair,
  GcmRequest,
  TokenCurve,
  TokenDescription,
  TokenOperations,
  TransportKey,
  Trial,
  WrappedEncryptionKey,
  WrappedSecret,
} from "./operations.ts";
export { ENCRYPTION_KEYS_PURPOSE } from "./token/probe-purpose.ts";
export { type PinRefusals, Token, type TokenCalls, type TokenOptions, type TokenState } from "./token.ts";
