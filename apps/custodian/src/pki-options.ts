import type { CustodianConfig } from "@meterkeep/api/supervisor";
import type { PkiOptions } from "@meterkeep/custody";

/** What the configuration says of the PKI. */
export function pkiOptions({ pki = {}, utility, island }: CustodianConfig): PkiOptions {
  const { address, developmentTree, limits = [] } = pki;
  return {
    address,
    ...(developmentTree === true && { developmentTree: { utility, island } }),
    limits: Object.fromEntries(limits.map(({ requester, perDay }) => [requester, perDay])),
  };
}
