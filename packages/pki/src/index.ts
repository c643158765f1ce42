export { type ChannelCredential, createChannelCredential } from "./channel-credential.ts";
export { der } from "./der.ts";
export { PKI_ERROR_CODES, PkiError, type PkiErrorCode } from "./errors.ts";
