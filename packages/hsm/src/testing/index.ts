export { type Fault, SoftTokens, softTokenMissing } from "./soft-token.ts";
