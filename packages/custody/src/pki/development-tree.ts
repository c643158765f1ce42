import { generateKeyPairSync, randomBytes } from "node:crypto";
import { decode } from "@meterkeep/dlms";
import {
  type Authorities,
  type CertificateProfile,
  crlOf,
  issueCertificate,
  issueRoot,
  localSigner,
  OFFLINE,
  PkiError,
  PROFILES,
  type Publisher,
  prepareCrl,
  publicKey,
  SHARDS,
  signAssignments,
} from "@meterkeep/pki";
import { DAY_MILLISECONDS } from "../day.ts";
import type { AuthorityKeys } from "./authority-keys.ts";

/** Every authority, any policy (RFC 5280 clause 4.2.1.4): a tree of its own says nothing about how it is run. */
export const ANY_POLICY = "2.5.29.32.0";
const YEAR_MS = 365 * DAY_MILLISECONDS;
const FIRST_TITLE = new Uint8Array(8);
const LAST_TITLE = new Uint8Array(8).fill(0xff);

/** What a development tree is made with. */
export interface TreePlace {
  readonly utility: string;
  readonly island: string;
}

/**
 * Makes a whole tree where there is none: root, scheme, one utility, an issuing authority on each curve for its island, and
 * a table that gives the utility every device.
 *
 * The root's key signs one certificate and its (empty) lists, and is forgotten: nobody can make a second scheme under it.
 * That is as it should be in development and of no use elsewhere, where a root is made in a ceremony.
 */
export async function makeDevelopmentTree(
  parts: {
    readonly authorities: Authorities;
    readonly keys: AuthorityKeys;
    readonly publisher: Publisher;
    readonly addTable: (octets: Uint8Array, number: number) => Promise<void>;
    readonly addressOf: (authority: string, shard: number) => string;
    readonly now: () => number;
  },
  { utility, island }: TreePlace,
): Promise<void> {
  const { authorities, keys, publisher, now } = parts;
  const notBefore = new Date(Math.floor(now() / 1000) * 1000);
  const pair = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const point = decode(publicKey, new Uint8Array(pair.publicKey.export({ type: "spki", format: "der" })));
  const rootSigner = localSigner(pair.privateKey, point);
  const root = issueRoot(rootSigner, {
    profile: profileOf("root"),
    subject: { names: { CN: "Meterkeep development root" } },
    serial: randomBytes(16),
    notBefore,
  });
  const common = { utility: "*", island: "*", requester: "custodian" } as const;
  const rootRecord = await authorities.adopt({
    ...common,
    name: "Meterkeep development root",
    profile: profileOf("root"),
    keyName: `${OFFLINE}development-root`,
    certificate: root.octets,
  });
  const schemeName = "Meterkeep development scheme";
  const schemeKey = await keys.make("scheme-1", "P-384");
  const scheme = issueCertificate(
    { certificate: root, signer: rootSigner },
    {
      profile: profileOf("scheme"),
      subject: { names: { CN: schemeName } },
      serial: randomBytes(16),
      notBefore,
      publicKey: schemeKey.publicKey,
      policies: [ANY_POLICY],
      distributionPoints: [parts.addressOf(rootRecord.authority, 0)],
    },
  );
  const schemeRecord = await authorities.adopt({
    ...common,
    name: schemeName,
    profile: profileOf("scheme"),
    parent: rootRecord.authority,
    keyName: "scheme-1",
    certificate: scheme.octets,
  });
  const lists = Array.from({ length: SHARDS }, (_, shard) => {
    const [thisUpdate, nextUpdate] = [now(), now() + 10 * YEAR_MS];
    const order = { number: 1n, thisUpdate: new Date(thisUpdate), nextUpdate: new Date(nextUpdate) };
    const unsigned = prepareCrl(root, { ...order, shard: parts.addressOf(rootRecord.authority, shard) }, []);
    const octets = crlOf(root, unsigned, rootSigner.sign(unsigned));
    const place = { authority: rootRecord.authority, shard, number: 1n, since: undefined };
    return { ...place, thisUpdate, nextUpdate, octets };
  });
  await publisher.adopt(lists);
  const make = async (profile: string, name: string, parent: string, on = "*") => {
    const keyName = `${profile}-${utility}-${on}-1`;
    await keys.make(keyName, profileOf(profile).curve);
    const order = { utility, island: on, name, profile: profileOf(profile), parent, keyName };
    return authorities.make({ ...order, requester: "custodian", policies: [ANY_POLICY] });
  };
  const owner = await make("utility", `${utility} (development)`, schemeRecord.authority);
  for (const curve of ["p256", "p384"])
    await make(
      `issuing-${curve}`,
      `${utility} ${island} ${curve.toUpperCase()} (development)`,
      owner.authority,
      island,
    );
  const rows = [
    {
      authority: Uint8Array.from(Buffer.from(owner.authority, "hex")),
      name: utility,
      ranges: [{ first: FIRST_TITLE, last: LAST_TITLE }],
    },
  ];
  const signer = { publicKey: schemeKey.publicKey, sign: schemeKey.sign };
  await parts.addTable(await signAssignments(signer, { number: 1, issuedAt: notBefore, rows }), 1);
}

/** A profile by its name. @throws PkiError `profile-violated` */
export function profileOf(name: string): CertificateProfile {
  const profile = PROFILES.get(name);
  if (profile === undefined)
    throw new PkiError("profile-violated", `there is no profile ${name}: ${[...PROFILES.keys()].join(", ")}`);
  return profile;
}
