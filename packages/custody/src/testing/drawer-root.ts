import { type CrlOrder, issueCertificate, issueCrl, issueRoot, PROFILES } from "@meterkeep/pki";
import { adoptList } from "../pki/adopt-list.ts";
import { freshKey, type TestPki } from "./test-pki.ts";

/** A list of a root, as a ceremony is told of it. */
interface DrawerList {
  /** The shard that it is published for, 0 unless given. */
  readonly shard?: number;
  /** What the list itself says that it is about: everything, unless given. */
  readonly about?: string;
  readonly since?: number;
}

/** A root whose key is in a drawer: its certificates and lists come from a ceremony. */
export async function drawerRoot(bench: TestPki) {
  const { pki, now } = bench;
  const signer = freshKey("P-384");
  const certificate = issueRoot(signer, {
    profile: PROFILES.get("root")!,
    subject: { names: { CN: "National root" } },
    serial: new Uint8Array(16).fill(1),
    notBefore: new Date(now),
  });
  const common = { utility: "*", island: "*", requester: "person" } as const;
  const { authority } = await pki.authorities.adopt({
    ...common,
    name: "National root",
    profile: PROFILES.get("root")!,
    keyName: "offline:root",
    certificate: certificate.octets,
  });
  return {
    authority,
    certificate,
    certify: async (serial: Uint8Array) => {
      const order = { profile: PROFILES.get("scheme")!, subject: { names: { CN: "National scheme" } }, serial };
      const { publicKey } = freshKey("P-384");
      const made = { ...order, publicKey, notBefore: new Date(now), policies: ["2.5.29.32.0"] };
      const { octets } = issueCertificate({ certificate, signer }, made);
      const scheme = { ...common, name: "National scheme", profile: order.profile, keyName: "offline:scheme" };
      await pki.authorities.adopt({ ...scheme, parent: authority, certificate: octets });
    },
    publish: (number: number, serials: readonly Uint8Array[], { shard = 0, about, since }: DrawerList = {}) => {
      const order: CrlOrder = {
        number: BigInt(number),
        thisUpdate: new Date(now),
        nextUpdate: new Date(now + 400 * 24 * 3_600_000),
        ...(about !== undefined && { shard: about }),
        ...(since !== undefined && { since: BigInt(since) }),
      };
      const named = serials.map((serial) => ({ serial, revokedAt: new Date(now), reason: "cACompromise" as const }));
      const octets = issueCrl({ certificate, signer }, order, named);
      return adoptList(bench.pki, { authority, shard, octets }, "anna");
    },
  };
}
