export { type ChannelCredential, certificateFingerprint, createChannelCredential } from "./channel-credential.ts";
export { der } from "./der.ts";
