import assert from "node:assert/strict";
import { createHash, createHmac, createPublicKey, verify } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseProductionLine } from "@meterkeep/meter";
import { FactoryError } from "./errors.ts";
import { planTown } from "./layout.ts";
import { manufacture, type Order } from "./manufacture.ts";
import { MerkleTree } from "./merkle.ts";
import { parseProfileMix } from "./profile-mix.ts";
import { openSigningKeys } from "./signing-keys.ts";
import { type TestRecipient, testRecipient, unseal } from "./testing/open-shipment.ts";

interface Line {
  readonly [name: string]: unknown;
}

function withFactory(homes: number, work: (order: Order, custodian: TestRecipient) => void): void {
  const root = mkdtempSync(join(tmpdir(), "meterkeep-factory-"));
  try {
    const order: Order = {
      stateDirectory: join(root, "factory"),
      exchangeDirectory: join(root, "exchange"),
      productionFile: join(root, "factory", "production.json-lines"),
      manufacturerName: "Mühlbach Meters",
      customer: "Stadtwerke Mühlbach",
      utility: "muehlbach",
      island: "main",
      homes,
      seed: "spring",
    };
    mkdirSync(order.stateDirectory);
    mkdirSync(order.exchangeDirectory);
    const custodian = testRecipient();
    writeFileSync(join(order.exchangeDirectory, "recipient.json"), custodian.json);
    work(order, custodian);
  } finally {
    rmSync(root, { recursive: true });
  }
}

describe("a shipment", () => {
  test("opens for its recipient, verifies under both signatures and holds exactly the keys of the production file", () => {
    withFactory(20, (order, custodian) => {
      const { keys: signing } = openSigningKeys(order.stateDirectory);
      const delivery = manufacture(order, signing);
      assert.equal(delivery.meters, 24);
      const text = readFileSync(delivery.file, "utf8");
      assert.ok(text.endsWith("\n"));
      const lines = text.slice(0, -1).split("\n");
      assert.equal(lines.length, 26);
      for (const line of lines) assert.equal(JSON.stringify(JSON.parse(line)), line);
      const trailer = JSON.parse(lines.at(-1) ?? "") as { root: string; ecdsa: string; mldsa: string; count: number };
      const tree = new MerkleTree();
      for (const line of lines.slice(0, -1)) tree.add(Buffer.from(line));
      assert.equal(Buffer.from(tree.root()).toString("hex"), trailer.root);
      const signed = Buffer.from(`meterkeep-shipment-2:${trailer.root}`);
      const ecdsa = createPublicKey({ key: Buffer.from(signing.ecdsaPublicKey), format: "der", type: "spki" });
      const mldsa = createPublicKey({ key: Buffer.from(signing.mldsaPublicKey), format: "der", type: "spki" });
      const ecdsaSignature = Buffer.from(trailer.ecdsa, "base64url");
      assert.equal(ecdsaSignature.length, 96);
      assert.ok(verify("sha384", signed, { key: ecdsa, dsaEncoding: "ieee-p1363" }, ecdsaSignature));
      assert.ok(verify(null, signed, mldsa, Buffer.from(trailer.mldsa, "base64url")));

      const unsealed = unseal(lines, custodian);
      const produced = readFileSync(order.productionFile, "utf8").trimEnd().split("\n");
      assert.equal(produced.length, 24);
      const seen = new Set<string>();
      for (const [at, line] of produced.entries()) {
        const record = parseProductionLine(line, at + 1);
        const { globalUnicastEncryptionKey, globalBroadcastEncryptionKey, authenticationKey, keyEncryptionKey } =
          record.keys;
        const octets = [globalUnicastEncryptionKey, globalBroadcastEncryptionKey, authenticationKey, keyEncryptionKey];
        const block = octets.map((key, purpose) => `0${purpose}10${Buffer.from(key).toString("hex")}`).join("");
        const { optical, setting } = record.secrets ?? {};
        assert.equal(record.profile === "is15959", optical !== undefined && setting !== undefined);
        const secrets = optical === undefined ? "" : `051122${optical}061130${setting}`;
        assert.equal(unsealed.get(record.systemTitle), `${block}${secrets}`);
        for (const key of octets) seen.add(Buffer.from(key).toString("hex"));
      }
      assert.equal(seen.size, 24 * 4, "no key occurs twice");
      assert.equal(statSync(order.productionFile).mode & 0o777, 0o600);
      assert.deepEqual(readdirSync(order.stateDirectory).sort(), [
        "next-serial",
        "production.json-lines",
        "signing-keys.pem",
      ]);
    });
  });

  test("shares nothing with the next one: not an identity, not a key, even from the same seed", () => {
    withFactory(8, (order, custodian) => {
      const { keys: signing, created } = openSigningKeys(order.stateDirectory);
      assert.equal(created, true);
      const first = manufacture(order, signing);
      const again = openSigningKeys(order.stateDirectory);
      assert.equal(again.created, false);
      assert.equal(again.keys.keyId, signing.keyId);
      const second = manufacture(order, again.keys);
      const [a, b] = [first, second].map(({ file }) =>
        unseal(readFileSync(file, "utf8").trimEnd().split("\n"), custodian),
      );
      assert.ok(a !== undefined && b !== undefined);
      for (const [title, keys] of a) {
        assert.ok(!b.has(title));
        assert.ok(![...b.values()].includes(keys));
      }
    });
  });

  test("whose keys are derived has none in its file, and hands their master over sealed and signed", () => {
    withFactory(8, (order, custodian) => {
      const { keys: signing } = openSigningKeys(order.stateDirectory);
      const { file } = manufacture({ ...order, factoryKeys: "derived" }, signing);
      const kept = readFileSync(join(order.stateDirectory, "factory-master"), "ascii");
      const [id, octets] = [kept.slice(0, 32), Buffer.from(kept.slice(32), "hex")];
      const lines = readFileSync(file, "utf8").trimEnd().split("\n");
      assert.equal((JSON.parse(lines[0] ?? "") as Line)["master"], id);
      const unsealed = unseal(lines, custodian);
      for (const line of readFileSync(order.productionFile, "utf8").trimEnd().split("\n")) {
        const { systemTitle, securitySuite, keys } = parseProductionLine(line, 1);
        const bytes = securitySuite === 2 ? 32 : 16;
        const label = Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.from("meterkeep-factory-1/GAK\0")]);
        const text = Buffer.concat([
          label,
          Buffer.from(systemTitle, "hex"),
          Buffer.from([0, 0, bytes >> 5, (8 * bytes) & 255]),
        ]);
        const wanted = createHmac("sha256", octets).update(text).digest().subarray(0, bytes);
        assert.deepEqual(Buffer.from(keys.authenticationKey), wanted);
        assert.doesNotMatch(unsealed.get(systemTitle) ?? "none", /^00/, "no key of the setup");
      }
      const text = readFileSync(join(order.exchangeDirectory, "factory-master.json"), "utf8");
      const { ecdsa, mldsa: _, ...signed } = JSON.parse(text) as Line & { ecdsa: string };
      const digest = createHash("sha256").update(JSON.stringify(signed)).digest("hex");
      const key = createPublicKey({ key: Buffer.from(signing.ecdsaPublicKey), format: "der", type: "spki" });
      const said = Buffer.from(`meterkeep-factory-master-1:${digest}`);
      assert.ok(verify("sha384", said, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(ecdsa, "base64url")));
      assert.doesNotMatch(text, new RegExp(octets.toString("base64url")));
    });
  });

  test("has the keys of every security setup of a meter, random ones and derived ones, each setup's by themselves", () => {
    for (const factoryKeys of ["random", "derived"] as const)
      withFactory(4, (order, custodian) => {
        const { keys: signing } = openSigningKeys(order.stateDirectory);
        const { file } = manufacture({ ...order, profiles: "idis-p2-service", factoryKeys }, signing);
        const lines = readFileSync(file, "utf8").trimEnd().split("\n");
        const unsealed = unseal(lines, custodian);
        const told = lines.slice(1, -1).map((line) => JSON.parse(line) as Line);
        const seen = new Set<string>();
        let further = 0;
        for (const line of readFileSync(order.productionFile, "utf8").trimEnd().split("\n")) {
          const { systemTitle, profile, keys, setups } = parseProductionLine(line, 1);
          const octets = (of: typeof keys) => Object.values(of).map((key) => Buffer.from(key).toString("hex"));
          for (const key of [keys, ...(setups ?? []).map((one) => one.keys)].flatMap(octets)) seen.add(key);
          const named = told.find((one) => one["systemTitle"] === systemTitle)?.["setups"];
          if (profile !== "idis-p2-service") {
            assert.deepEqual([setups, named], [undefined, undefined]);
            continue;
          }
          further += 1;
          const [second, ...others] = setups ?? [];
          assert.deepEqual([second?.setup, others.length], [1, 0]);
          assert.ok(second !== undefined);
          const check = Object.values(second.keys).map((key, purpose) =>
            createHmac("sha256", key)
              .update("meterkeep-check-2")
              .update(Buffer.from(systemTitle, "hex"))
              .update(Buffer.of(purpose, 1))
              .digest("hex")
              .slice(0, 16),
          );
          assert.deepEqual(named, [{ setup: 1, check }]);
          const block = (of: typeof keys) => octets(of).map((key, purpose) => `0${purpose}10${key}`);
          const whole = [...block(keys), "fd0101", ...block(second.keys)].join("");
          assert.equal(unsealed.get(systemTitle), factoryKeys === "random" ? whole : "");
        }
        assert.equal(further, 4);
        assert.equal(seen.size, 8 * 4 + 4 * 4, "no key occurs twice");
      });
  });

  test("that was complete when the factory died is delivered by the next run, an incomplete one is thrown away", () => {
    withFactory(8, (order) => {
      const { keys } = openSigningKeys(order.stateDirectory);
      const outbox = join(order.stateDirectory, "outbox");
      mkdirSync(outbox);
      writeFileSync(join(outbox, "shipment.mks"), "half a line");
      const first = manufacture(order, keys);
      assert.ok(!existsSync(outbox));
      // As if the process had died on its way out, with everything delivered but the outbox still there, and somebody had removed the shipment since.
      mkdirSync(outbox);
      for (const [name, from] of [
        ["shipment.mks", first.file],
        ["production.json-lines", order.productionFile],
        ["grid.json", join(order.exchangeDirectory, "grid.json")],
      ] as const) {
        writeFileSync(join(outbox, name), readFileSync(from));
      }
      writeFileSync(join(outbox, "complete"), JSON.stringify({ shipment: first.shipment, meters: first.meters }));
      rmSync(first.file);
      assert.deepEqual(manufacture(order, keys), first);
      assert.ok(existsSync(first.file));
      assert.deepEqual(readdirSync(join(order.exchangeDirectory, "shipments")), [`${first.shipment}.mks`]);
    });
  });

  test("is not made for a recipient whose key id does not fit its keys", () => {
    withFactory(4, (order) => {
      const file = join(order.exchangeDirectory, "recipient.json");
      const recipient = JSON.parse(readFileSync(file, "utf8")) as Line;
      writeFileSync(file, JSON.stringify({ ...recipient, keyId: "00".repeat(32) }));
      const { keys } = openSigningKeys(order.stateDirectory);
      assert.throws(
        () => manufacture(order, keys),
        (error) => error instanceof FactoryError && error.code === "factory-recipient-malformed",
      );
    });
  });

  test("of five thousand homes is made whole", () => {
    withFactory(5000, (order) => {
      const { keys } = openSigningKeys(order.stateDirectory);
      const delivery = manufacture(order, keys);
      assert.equal(delivery.meters, 5004);
      const grid = JSON.parse(readFileSync(join(order.exchangeDirectory, "grid.json"), "utf8")) as {
        feeders: { homes: { label: string; meter: string }[] }[];
      };
      const homes = grid.feeders.flatMap((feeder) => feeder.homes);
      assert.equal(new Set(homes.map((home) => home.label)).size, 5000, "no address occurs twice");
      assert.equal(new Set(homes.map((home) => home.meter)).size, 5000);
    });
  });
});

describe("the town's layout", () => {
  test("is a function of its seed, with four feeders, three profiles and the two liars in the depot", () => {
    const town = planTown(200, 7);
    assert.deepEqual(planTown(200, 7), town);
    assert.notDeepEqual(planTown(200, 8), town);
    assert.deepEqual(
      town.map(({ homes, path }) => [homes.length, path]),
      [
        [50, "wan"],
        [50, "wan"],
        [50, "wan"],
        [50, "depot"],
      ],
    );
    const homes = town.flatMap((feeder) => feeder.homes);
    assert.deepEqual([...new Set(homes.map((home) => home.profile))].sort(), ["dsmr-5", "idis-p2", "is15959"]);
    const liars = homes.flatMap((home, at) => (home.keyFault === "none" ? [] : [[at, home.keyFault]]));
    assert.deepEqual(liars, [
      [156, "keepKeys"],
      [162, "keepMaster"],
    ]);
    const tagless = homes.filter((home) => home.pushProtection === "encrypted").length;
    assert.ok(tagless >= 2 && tagless <= 10, `${tagless} meters push without a tag`);
  });
});

describe("the Merkle tree", () => {
  test("has the roots of RFC 9162", () => {
    // Leaves of the reference tree of Certificate Transparency implementations.
    const leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const tree = new MerkleTree();
    const roots = leaves.map((leaf) => {
      tree.add(Buffer.from(leaf, "hex"));
      return Buffer.from(tree.root()).toString("hex");
    });
    assert.equal(roots[0], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    assert.equal(roots[2], "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    assert.equal(roots[7], "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
  });
});

test("a town is made of the profiles that were ordered, in their shares, and of none that there is not", () => {
  const mix = parseProfileMix("idis-p2=3,metcom-mcs301=1,landis-gyr-e350");
  const counts = new Map<string, number>();
  for (const { homes } of planTown(2000, 7, true, parseProfileMix("idis-p2=1,idis-p3=0")))
    assert.ok(
      homes.every(({ profile }) => profile === "idis-p2"),
      "a share of none is none, anchor or not",
    );
  for (const { homes } of planTown(2000, 7, false, mix))
    for (const { profile } of homes) counts.set(profile, (counts.get(profile) ?? 0) + 1);
  assert.deepEqual([...counts.keys()].sort(), ["idis-p2", "landis-gyr-e350", "metcom-mcs301"]);
  const share = (counts.get("idis-p2") ?? 0) / 2000;
  assert.ok(share > 0.55 && share < 0.65, `${share}`);
  for (const wrong of ["idis-p9", "idis-p2=0", "", "idis-p2;dsmr-5", "__proto__"])
    assert.throws(() => parseProfileMix(wrong), { code: "factory-profiles-unknown" }, wrong);
});
