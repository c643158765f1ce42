export { HSM_ERROR_CODES, HsmError, type HsmErrorCode } from "./errors.ts";
export { type FoundToken, listTokens } from "./list-tokens.ts";
export type {
  TokenCurve,
  TokenDescription,
  TokenOperations,
  TransportKey,
  Trial,
  WrappedSecret,
} from "./operations.ts";
export { Token, type TokenCalls, type TokenOptions, type TokenState } from "./token.ts";
