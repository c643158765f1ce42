export { HSM_ERROR_CODES, HsmError, type HsmErrorCode } from "./errors.ts";
export type {
  TokenCurve,
  TokenDescription,
  TokenOperations,
  TransportKey,
  WrappedSecret,
} from "./operations.ts";
export { Token, type TokenCalls, type TokenOptions, type TokenState } from "./token.ts";
