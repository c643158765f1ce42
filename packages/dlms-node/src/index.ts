export { constantTimeEqual } from "./constant-time.ts";
export { nodeCiphers } from "./crypto/ciphers.ts";
export { nodeHashes, nodeRandom } from "./crypto/hashes.ts";
export { nodeKeyWrap } from "./crypto/key-wrap.ts";
export { SecretKey } from "./secret-key.ts";
