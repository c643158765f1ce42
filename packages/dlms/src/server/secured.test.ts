import assert from "node:assert/strict";
import type { KeyObject } from "node:crypto";
import { test } from "node:test";
import { nodePlatform } from "@meterkeep/dlms-node";
import { concatBytes, fromHex, toHex } from "../bytes.ts";
import type { AssociationConfig } from "../client/association-config.ts";
import { protectedObjects } from "../client/data-protection.ts";
import { localAssociator } from "../client/local-associator.ts";
import { frameCountersFrom, risingCountersFrom } from "../client/protection.ts";
import { openPush } from "../client/push.ts";
import { remote } from "../client/remote.ts";
import { openSession, type Session } from "../client/session.ts";
import { decode } from "../codec/codec.ts";
import { DataProtection } from "../cosem/classes/data-protection.ts";
import { type CertificateInfo, KEY_IDS, SecuritySetup } from "../cosem/classes/security-setup.ts";
import { d } from "../data/d.ts";
import type { Data } from "../data/value.ts";
import { protectData, unprotectData } from "../security/data-protection.ts";
import { completeKeyAgreement, offerKeyAgreement } from "../security/key-agreement.ts";
import type { KeySource } from "../security/key-info.ts";
import type { GeneralSetup } from "../security/message-key.ts";
import { GBCS_SECURITY, STANDARD_SECURITY } from "../security/profile.ts";
import {
  CLIENT,
  DATA_PROTECTION,
  MANAGEMENT,
  METER,
  NAME,
  SECRET_DATA,
  SETUP,
  securedMeter,
} from "../testing/secured-meter.test.ts";
import type { CertificateIdentification, CertificateStore, KeyPairUse } from "./ports.ts";
import { buildPush } from "./push.ts";

type Config = AssociationConfig<KeyObject>;
const NAME_ADDRESS = { classId: 1, logicalName: NAME, attributeId: 2 } as const;
const SECRET_ADDRESS = { classId: 1, logicalName: SECRET_DATA, attributeId: 2 } as const;
const NAME_VALUE = "09034d4b4d";

/** Changes how the client ciphers. */
function ciphering(change: object, general: object = {}): (config: Config) => Config {
  return (config) => {
    const { ciphering: before } = config;
    assert.ok(before?.general !== undefined);
    return { ...config, ciphering: { ...before, ...change, general: { ...before.general, ...general } } };
  };
}

async function readsName(session: Session): Promise<void> {
  assert.equal(toHex(await session.get(NAME_ADDRESS)), NAME_VALUE);
  const items = await session.getList([NAME_ADDRESS, SECRET_ADDRESS]);
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ["data", "data"],
  );
  await session.set(SECRET_ADDRESS, fromHex("09020304"));
}

for (const suite of [0, 1, 2] as const)
  test(`in suite ${suite} a session goes through general-ciphering with every kind of key`, async () => {
    const sources: (KeySource | undefined)[] = [undefined, "unicast", "broadcast", "wrapped"];
    if (suite > 0) sources.push("one-pass", "static");
    const meter = securedMeter({ suite, policy: { authenticatedRequest: true, encryptedRequest: true } });
    for (const source of sources) {
      const session = await meter.open(ciphering({ form: "general-ciphering" }, { source }));
      await readsName(session);
      await session.release();
    }
  });

for (const suite of [1, 2] as const)
  test(`in suite ${suite} requests and responses are signed, alone and in every general form`, async () => {
    const meter = securedMeter({ suite, policy: { signedRequest: true, signedResponse: true } });
    for (const form of ["general-global", "general-dedicated", "general-ciphering"] as const) {
      const octets = nodePlatform.random(suite === 1 ? 16 : 32);
      const dedicatedKey = { octets, key: nodePlatform.importKey(octets) };
      const session = await meter.open(ciphering({ form, dedicatedKey }, { signs: true, source: "static" }));
      await readsName(session);
      await session.release();
    }
    // An InitiateRequest is not signed: without ciphering it has no protection at all, and the context is a ciphered one.
    const alone = meter.open(
      ciphering({ authenticated: false, encrypted: false, form: "general-global" }, { signs: true }),
    );
    await assert.rejects(alone, /neither authentication nor encryption/);
    // The policy wants signatures.
    const unsigned = await meter.open(ciphering({ form: "general-global" }));
    await assert.rejects(unsigned.get(NAME_ADDRESS), { code: "exception-response" });
    // A signed APDU has no service-specific form.
    const global = await meter.open(ciphering({ form: "global" }, { signs: true }));
    await assert.rejects(global.get(NAME_ADDRESS), { code: "protection-mismatch" });
  });

test("what was recorded does not serve twice: not under a shared key, a fresh one, or signed alone", async () => {
  for (const source of ["unicast", "wrapped", "one-pass", "static"] as const) {
    const meter = securedMeter({ suite: 1 });
    const sent: Uint8Array[] = [];
    const tap = (apdu: Uint8Array) => {
      sent.push(apdu);
      return apdu;
    };
    const session = await meter.open(ciphering({ form: "general-ciphering" }, { source }), MANAGEMENT, tap);
    await session.set(SECRET_ADDRESS, fromHex("09020506"));
    const recorded = sent.at(-1) as Uint8Array;
    await session.set(SECRET_ADDRESS, fromHex("09020708"));
    const replaying = await meter.open(ciphering({ form: "general-ciphering" }, { source }), MANAGEMENT, (apdu) =>
      apdu[0] === 0xdd ? recorded : apdu,
    );
    await assert.rejects(replaying.set(SECRET_ADDRESS, fromHex("09020506")), /refuses the request|invocation counter/);
    const reading = await meter.open();
    assert.equal(toHex(await reading.get(SECRET_ADDRESS)), "09020708", source);
  }
});

test("a response that answers no request of ours is not taken", async () => {
  const meter = securedMeter({ suite: 1 });
  const connection = meter.server.connect(MANAGEMENT, 1);
  let recorded: Uint8Array | undefined;
  const change = ciphering({ form: "general-ciphering" }, { source: "static" });
  const session = await openSession({
    associator: localAssociator(change(meter.config), {
      frameCounters: frameCountersFrom(10),
      receivedCounters: risingCountersFrom(0),
    }),
    exchange: async (apdu) => {
      const response = meter.server.handle(connection, apdu) as Uint8Array;
      if (apdu[0] !== 0xdd) return response;
      recorded ??= response;
      return recorded;
    },
  });
  assert.equal(toHex(await session.get(NAME_ADDRESS)), NAME_VALUE);
  await assert.rejects(session.get(NAME_ADDRESS), { code: "counter-replayed" });
});

test("a flipped octet anywhere in a signed and ciphered request is refused", async () => {
  const meter = securedMeter({ suite: 1 });
  let flip: number | undefined;
  let length = 0;
  const session = await meter.open(
    ciphering({ form: "general-ciphering" }, { signs: true, source: "static" }),
    MANAGEMENT,
    (apdu) => {
      if (apdu[0] !== 0xdd || flip === undefined) return apdu;
      length = apdu.length;
      const changed = concatBytes(apdu);
      changed[flip]! ^= 1 << (flip & 7);
      return changed;
    },
  );
  for (flip = 0; flip === 0 || flip < length; flip += 1)
    await assert.rejects(session.get(NAME_ADDRESS), /refuses the request/, `octet ${flip}`);
  flip = undefined;
  await readsName(session);
});

test("a security setup agrees on keys, and the next association has them", async () => {
  for (const suite of [1, 2] as const) {
    const meter = securedMeter({ suite });
    const session = await meter.open();
    const setup = remote(session, SecuritySetup, SETUP);
    const agreement = {
      platform: nodePlatform,
      suite,
      profile: STANDARD_SECURITY,
      signing: meter.signing.client.privateKey,
      otherSigning: meter.signing.meter.publicKey,
      client: CLIENT,
      server: METER,
    };
    const names = ["globalUnicastEncryptionKey", "keyEncryptionKey"] as const;
    const offers = names.map((name) => offerKeyAgreement(agreement, KEY_IDS[name]));
    const before = names.map(meter.key);
    const broken = offers.map(({ keyData }, at) => ({ keyId: names[1 - at]!, keyData }));
    await assert.rejects(setup.call("keyAgreement", broken), { code: "action-refused" });
    assert.deepEqual(names.map(meter.key), before);
    const answers = await setup.call(
      "keyAgreement",
      offers.map(({ keyData }, at) => ({ keyId: names[at]!, keyData })),
    );
    for (const [at, { keyId, keyData }] of answers.entries())
      assert.equal(meter.key(keyId), toHex(completeKeyAgreement(agreement, offers[at]!, keyData)));
    assert.notDeepEqual(names.map(meter.key), before);
  }
});

test("a policy is strengthened to signatures, and never weakened", async () => {
  const meter = securedMeter({ suite: 1 });
  const setup = remote(await meter.open(), SecuritySetup, SETUP);
  await setup.call("securityActivate", 0x0c);
  await setup.call("securityActivate", 0x1c);
  const signed = await meter.open(ciphering({ form: "general-global" }, { signs: true }));
  const strict = remote(signed, SecuritySetup, SETUP);
  assert.deepEqual(await strict.get("securityPolicy"), ["authenticatedRequest", "encryptedRequest", "signedRequest"]);
  for (const weaker of [0x0c, 0x10, 0x1d])
    await assert.rejects(strict.call("securityActivate", weaker), { code: "action-refused" });
});

/** A store that writes down what it is asked. */
function rememberingStore(): CertificateStore & { readonly log: string[] } {
  const log: string[] = [];
  const entry: CertificateInfo = {
    certificateEntity: "server",
    certificateType: "digitalSignature",
    serialNumber: fromHex("01"),
    issuer: fromHex("02"),
    subject: fromHex("03"),
    subjectAltName: fromHex(""),
  };
  const text = (which: CertificateIdentification) =>
    which.kind === "byEntity"
      ? `${which.certificateEntity}/${which.certificateType}/${toHex(which.systemTitle)}`
      : `${toHex(which.serialNumber)}/${toHex(which.issuer)}`;
  return {
    log,
    list: () => [entry],
    generateKeyPair: (use: KeyPairUse) => log.push(`generate ${use}`) > 0 && use !== "tls",
    certificateRequest: (use) => (log.push(`request ${use}`) > 0 && use === "tls" ? undefined : fromHex("3003020100")),
    import: (certificate) => log.push(`import ${toHex(certificate)}`) > 0,
    export: (which) =>
      log.push(`export ${text(which)}`) > 0 && which.kind === "byEntity" ? fromHex("3000") : undefined,
    remove: (which) => log.push(`remove ${text(which)}`) > 0,
    ownSigning: () => undefined,
  };
}

test("key pairs and certificates are made, asked for, imported, exported and removed through the store", async () => {
  const certificates = rememberingStore();
  const meter = securedMeter({ suite: 1, certificates });
  const setup = remote(await meter.open(), SecuritySetup, SETUP);
  const dataOf = (codec: typeof d.any, hex: string): Data => decode(codec, fromHex(hex));
  const byEntity = { kind: "byEntity", options: dataOf(d.any, "020316001600" + "09084d4b4d0000000001") } as const;
  const bySerial = { kind: "bySerial", options: dataOf(d.any, "0202090101" + "090102") } as const;
  assert.equal((await setup.get("certificates"))[0]?.certificateEntity, "server");
  await setup.call("generateKeyPair", "digitalSignature");
  await assert.rejects(setup.call("generateKeyPair", "tls"), { code: "action-refused" });
  assert.equal(toHex(await setup.call("generateCertificateRequest", "keyAgreement")), "3003020100");
  await assert.rejects(setup.call("generateCertificateRequest", "tls"), { code: "action-refused" });
  await setup.call("importCertificate", fromHex("300101"));
  assert.equal(toHex(await setup.call("exportCertificate", byEntity)), "3000");
  await assert.rejects(setup.call("exportCertificate", bySerial), { code: "action-refused" });
  await setup.call("removeCertificate", bySerial);
  await assert.rejects(setup.call("removeCertificate", { ...bySerial, kind: "byEntity" }), { code: "action-refused" });
  assert.deepEqual(certificates.log, [
    "generate digitalSignature",
    "generate tls",
    "request keyAgreement",
    "request tls",
    "import 300101",
    "export server/digitalSignature/4d4b4d0000000001",
    "export 01/02",
    "remove 01/02",
  ]);
  const without = remote(await securedMeter({ suite: 1 }).open(), SecuritySetup, SETUP);
  assert.deepEqual(await without.get("certificates"), []);
  await assert.rejects(without.call("generateKeyPair", "tls"), { code: "action-refused" });
});

for (const [form, profile] of [
  ["standard", STANDARD_SECURITY],
  ["gbcs", GBCS_SECURITY],
] as const)
  test(`attributes are read and written, and methods called, under data protection in the ${form} form`, async () => {
    const meter = securedMeter({ suite: 1, profile });
    const session = await meter.open();
    const protection = remote(session, DataProtection, DATA_PROTECTION);
    assert.ok(meter.config.ciphering !== undefined);
    const { encryptionKey, authenticationKey } = meter.config.ciphering;
    const keys = { ...meter.general.keys, encryption: encryptionKey, authentication: authenticationKey };
    const setup: GeneralSetup<KeyObject> = { platform: nodePlatform, suite: 1, profile, keys };
    const object = (logicalName: string) =>
      ({
        classId: 1,
        logicalName,
        attributeIndex: 2,
        dataIndex: 0,
        restriction: { restrictionType: "none", restrictionValue: { type: "null-data", value: null } },
      }) as const;
    let transaction = 0;
    const transactionIds = () => {
      transaction += 1;
      return Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, transaction);
    };
    const layer = (type: "authentication-encryption" | "digital-signature") => ({ type, source: "static" }) as const;
    const common = { setup, client: CLIENT, meter: METER, transactionIds, frameCounters: frameCountersFrom(1) };
    const signed = protectedObjects(session, DATA_PROTECTION, {
      ...common,
      layers: [layer("digital-signature"), layer("authentication-encryption")],
    });
    const ciphered = protectedObjects(session, DATA_PROTECTION, {
      ...common,
      layers: [layer("authentication-encryption")],
    });
    const values = await signed.get([NAME_ADDRESS, SECRET_ADDRESS]);
    assert.deepEqual(values.map(toHex), [NAME_VALUE, "09020102"]);
    await signed.set([{ ...SECRET_ADDRESS, value: fromHex("090311223344".slice(0, 10)) }]);
    assert.equal(toHex(await session.get(SECRET_ADDRESS)), "0903112233");
    const [same] = await ciphered.get([SECRET_ADDRESS]);
    assert.equal(toHex(same ?? fromHex("")), "0903112233");
    const activated = await ciphered.call({ classId: 64, logicalName: SETUP, methodId: 1 }, fromHex("160c"));
    assert.equal(toHex(activated), "00");
    assert.deepEqual(await remote(session, SecuritySetup, SETUP).get("securityPolicy"), [
      "authenticatedRequest",
      "encryptedRequest",
    ]);
    await assert.rejects(ciphered.get([{ ...NAME_ADDRESS, attributeId: 9 }]), { code: "action-refused" });
    const layers = () => [
      {
        ...layer("authentication-encryption"),
        transactionId: transactionIds(),
        originator: CLIENT,
        recipient: METER,
        counter: 90,
      },
    ];
    const wanted = protectData(setup, layers(), fromHex(""));
    await protection.call("getProtectedAttributes", {
      objectList: [object(NAME)],
      protectionParameters: wanted.parameters,
    });
    // A transaction id serves once: its key and vector must not meet other data.
    await assert.rejects(
      protection.call("getProtectedAttributes", {
        objectList: [object(NAME)],
        protectionParameters: wanted.parameters,
      }),
      { code: "action-refused" },
    );
    const written = protectData(setup, layers(), fromHex("02010903aabbcc"));
    const set = (octets: Uint8Array, title = CLIENT) =>
      protection.call("setProtectedAttributes", {
        objectList: [object(SECRET_DATA)],
        protectionParameters: written.parameters.map(({ protectionOptions, ...rest }) => ({
          ...rest,
          protectionOptions: { ...protectionOptions, originatorSystemTitle: title, transactionId: transactionIds() },
        })),
        protectedAttributes: octets,
      });
    // Another transaction id is another key; and changed data, or another's name, opens with none.
    for (const attempt of [() => set(written.octets), () => set(written.octets, METER)])
      await assert.rejects(attempt(), { code: "action-refused" });
    assert.equal(toHex(await session.get(SECRET_ADDRESS)), "0903112233");
    const forged = protectData(setup, layers(), fromHex("02010903aabbcc"));
    for (let at = 0; at < forged.octets.length; at += 1) {
      const changed = concatBytes(forged.octets);
      changed[at]! ^= 1 << (at & 7);
      assert.throws(() => unprotectData(setup, { parameters: forged.parameters, octets: changed }));
    }
  });

test("a push is signed, and ciphered with every kind of key, and its signature is the meter's", () => {
  const meter = securedMeter({ suite: 1 });
  assert.ok(meter.config.ciphering !== undefined);
  const { encryptionKey, authenticationKey } = meter.config.ciphering;
  const keys = { ...meter.general.keys, encryption: encryptionKey, authentication: authenticationKey };
  const setup: GeneralSetup<KeyObject> = { platform: nodePlatform, suite: 1, profile: STANDARD_SECURITY, keys };
  const pushKeys = { ciphers: nodePlatform.ciphers, keysOf: () => keys, generalOf: () => setup };
  const notification = {
    invokeIdAndPriority: {
      invokeId: 1,
      selfDescriptive: false,
      breakOnError: false,
      confirmed: false,
      highPriority: false,
    },
    dateTime: undefined,
    body: { type: "unsigned", value: 7 },
  } as const;
  const protection = { ciphers: nodePlatform.ciphers, setup: meter.setup, authenticated: true, encrypted: true };
  const transactionId = fromHex("0102030405060708");
  for (const source of [undefined, "unicast", "broadcast", "wrapped", "one-pass", "static"] as const)
    for (const signs of [true, false]) {
      const general = { recipient: CLIENT, transactionId, signs, ...(source === undefined ? {} : { source }) };
      const push = buildPush(notification, { ...protection, general });
      const opened = openPush(push, pushKeys);
      assert.deepEqual(opened.notification.body, notification.body);
      assert.deepEqual([opened.authenticated, opened.encrypted, opened.signed], [true, true, signs]);
      assert.equal(toHex(opened.originator ?? fromHex("")), toHex(METER));
    }
  const general = { transactionId, signs: true };
  const alone = buildPush(notification, { ...protection, authenticated: false, encrypted: false, general });
  const opened = openPush(alone, pushKeys);
  assert.deepEqual([opened.signed, opened.authenticated, opened.invocationCounter], [true, true, undefined]);
  assert.throws(() => openPush(alone, { ciphers: nodePlatform.ciphers, keysOf: () => keys }), { code: "key-missing" });
});

test("requests under the broadcast key have counters of their own", async () => {
  const meter = securedMeter({ suite: 1, policy: { authenticatedRequest: true } });
  const broadcastKey = meter.general.keys.broadcast;
  for (const form of ["global", "general-global"] as const) {
    const session = await meter.open(ciphering({ form, broadcastKey }));
    await readsName(session);
  }
  const stranger = await meter.open(ciphering({ broadcastKey: nodePlatform.importKey(nodePlatform.random(16)) }));
  await assert.rejects(stranger.get(NAME_ADDRESS), { code: "exception-response" });
});
