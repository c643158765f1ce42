export { type ChannelServer, listenOnChannel, type Principal } from "./channel/server.ts";
export { CUSTODY_ERROR_CODES, CustodyError, type CustodyErrorCode } from "./errors.ts";
export { type Custody, type CustodyOptions, openCustody } from "./service/open-custody.ts";
export { type TrustedManufacturer, trustedManufacturer } from "./shipment/manufacturer.ts";
export { CUSTODY_MIGRATIONS, postgresCustodyStore } from "./store/postgres-store.ts";
export { FIELD_PACE, type Pace } from "./takeover/candidates.ts";
export { type OpenedVault, openVault, type VaultSource } from "./vault/open-vault.ts";
export { readPassphrase } from "./vault/root-key.ts";
export { readTokensFile } from "./vault/tokens/tokens-file.ts";
