import { createDecipheriv, createPrivateKey, hkdfSync, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { KEY_PURPOSES, type KeyPurposeName } from "@meterkeep/api/custodian";
import { openVault, postgresCustodyStore } from "@meterkeep/custody";
import { fromHex } from "@meterkeep/dlms";
import { createPool } from "@meterkeep/postgres";
import { custodianConfigOf } from "./installation-files.ts";
import type { NamedSecret } from "./memory-scan.ts";

/** What a secret of the custodian is for. */
export const SECRET_KINDS = [
  "root key",
  "derived key",
  "vault key",
  "recipient key",
  "channel key",
  "database password",
  "meter key",
] as const;
export type SecretKind = (typeof SECRET_KINDS)[number];

/** A secret of the custodian. */
export interface CustodySecret extends NamedSecret {
  readonly kind: SecretKind;
  /** Of a meter's key. */
  readonly meter?: string;
  readonly purpose?: KeyPurposeName;
  readonly state?: string;
}

const PAGE = 200;

/**
 * Opens the vault of an installation beside its custodian, as whoever has the root key and the database could, and collects
 * every secret that the custodian holds, whatever its state.
 */
export async function collectSecrets(stateDirectory: string): Promise<CustodySecret[]> {
  const config = custodianConfigOf(stateDirectory);
  const pool = createPool(config.database, { applicationName: "system test", maxConnections: 2 });
  try {
    const store = postgresCustodyStore(pool);
    const { vault } = await openVault(store, { kind: "file", path: config.rootKeyFile }, Date.now());
    const rootKey = Buffer.from(readFileSync(config.rootKeyFile, "latin1").trim(), "hex");
    const [envelope, ...derived] = rootKeysIn(rootKey, (await store.installation.root())!.parameters);
    const secrets: CustodySecret[] = [
      { kind: "root key", name: "root key", octets: rootKey },
      // It opens the others at a start and is let go.
      { kind: "root key", name: "root key for the envelope", octets: envelope },
      ...derived.map(({ use, octets }) => ({ kind: "derived key", name: `root key for ${use}`, octets }) as const),
      { kind: "database password", name: "database password", octets: passwordOf(config.database) },
      ...halves("channel key", "channel key", createPrivateKey(readFileSync(config.keyFile))),
    ];
    for (const { utility, island, version } of await vaultKeyPlaces(pool)) {
      const [record] = (await store.vaultKeys.find(utility, island)).filter((key) => key.version === version);
      const fields = ["meterkeep-vault-1/vault-key", utility, island, String(version)];
      const octets = openEnvelope(derived[0]!.octets, fields, record!.sealed);
      secrets.push({ kind: "vault key", name: `vault key ${utility}/${island}/${version}`, octets });
    }
    for (const half of ["ecdh", "mlkem"]) {
      const name = `recipient-${half}-1`;
      using secret = await vault.unsealNamed(name, (await store.installation.namedSecret(name))!);
      secrets.push(
        ...secret.lend((octets) => halves("recipient key", `recipient key (${half})`, privateKeyOf(octets))),
      );
    }
    let last: string | undefined = "0000000000000000";
    while (last !== undefined) {
      const page = await store.loadPage([], last, PAGE);
      for (const { meter, keys } of page) {
        const unsealed = await vault.unseal(
          keys.map((key) => ({ place: { ...key, systemTitle: fromHex(key.systemTitle) }, sealed: key.sealed })),
        );
        for (const [at, key] of keys.entries()) {
          const purpose = KEY_PURPOSES[key.purpose]!;
          secrets.push({
            kind: "meter key",
            purpose,
            name: `${purpose} ${key.version} of ${meter.systemTitle} (${key.state})`,
            octets: unsealed[at]!.lend((octets) => Uint8Array.from(octets)),
            meter: meter.systemTitle,
            state: key.state,
          });
        }
      }
      last = page.length < PAGE ? undefined : page.at(-1)?.meter.systemTitle;
    }
    return secrets;
  } finally {
    await pool.end();
  }
}

/** What a root key opens, in the order in which it lies there (packages/custody/src/vault/root-keys.ts). */
const USES = ["vault-keys", "named-secrets", "check-values", "records"] as const;

/** The key of their envelope, then those that it holds. */
function rootKeysIn(
  rootKey: Uint8Array,
  parameters: string,
): [Uint8Array, ...{ readonly use: string; readonly octets: Uint8Array }[]] {
  const { root, sealed } = (JSON.parse(parameters) as { keys: { readonly root: string; readonly sealed: string } })
    .keys;
  const fields = ["meterkeep-vault-1/root-keys", root];
  const envelope = derive(rootKey, "root-keys");
  const plain = openEnvelope(envelope, fields, Buffer.from(sealed, "base64"));
  return [envelope, ...USES.map((use, at) => ({ use, octets: plain.subarray(at * 32, (at + 1) * 32) }))];
}

/** What follows from the root key alone. */
function derive(rootKey: Uint8Array, use: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", rootKey, new Uint8Array(0), `meterkeep-root-1/${use}`, 32));
}

async function vaultKeyPlaces(pool: ReturnType<typeof createPool>) {
  const { rows } = await pool.query<{ utility: string; island: string; version: number }>(
    "select utility, island, version from vault_keys",
  );
  return rows;
}

/** form(1) ‖ key version(4) ‖ nonce(12) ‖ ciphertext ‖ tag(16), bound to its place (packages/custody/src/vault/envelope.ts). */
function openEnvelope(key: Uint8Array, fields: readonly string[], sealed: Uint8Array): Uint8Array {
  const place = fields.flatMap((field) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(field));
    return [length, Buffer.from(field)];
  });
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(5, 17), { authTagLength: 16 });
  decipher.setAAD(Buffer.concat([sealed.subarray(0, 5), ...place]));
  decipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(17, -16)), decipher.final()]);
}

function privateKeyOf(octets: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(octets), format: "der", type: "pkcs8" });
}

/** What of a private key lies in a memory: a scalar in either order of its octets; of ML-KEM the two halves of the seed. */
function halves(kind: SecretKind, name: string, key: KeyObject): CustodySecret[] {
  const { d, priv } = key.export({ format: "jwk" }) as { readonly d?: string; readonly priv?: string };
  const octets = Buffer.from(d ?? priv ?? "", "base64url");
  if (d === undefined) {
    return [0, 32].map((at) => ({ kind, name: `${name}, from octet ${at}`, octets: octets.subarray(at, at + 32) }));
  }
  return [
    { kind, name, octets },
    { kind, name: `${name}, lowest octet first`, octets: Buffer.from(octets).reverse() },
  ];
}

function passwordOf(url: string): Uint8Array {
  return Buffer.from(decodeURIComponent(new URL(url).password));
}
