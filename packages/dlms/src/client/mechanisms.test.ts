import assert from "node:assert/strict";
import { createHash, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { nodeCurves, nodeHashes, nodePlatform } from "@meterkeep/dlms-node";
import { aarq as aarqCodec } from "../acse/association.ts";
import { fromHex, toHex } from "../bytes.ts";
import { decodeApdu } from "../cosem/service-octets.ts";
import {
  aesMechanism,
  ecdsaMechanism,
  type HlsMechanism,
  hashMechanism,
  manufacturerMechanism,
} from "../security/hls-mechanisms.ts";
import { STANDARD_SECURITY } from "../security/profile.ts";
import { MANAGEMENT, METER, NAME, PROVEN, SHORT_NAMED, securedMeter } from "../testing/secured-meter.test.ts";
import type { AssociationConfig } from "./association-config.ts";
import { stepAssociation } from "./association-machine.ts";

const SECRET = fromHex("00112233445566778899aabbccddeeff");
const WRONG = fromHex("ff112233445566778899aabbccddeeff");
const NAME_ADDRESS = { classId: 1, logicalName: NAME, attributeId: 2 } as const;
const NAME_VALUE = "09034d4b4d";

const BY_SECRET: readonly ((secret: Uint8Array) => HlsMechanism)[] = [
  aesMechanism,
  (secret) =>
    manufacturerMechanism(
      ({ challenge, ownTitle }) =>
        new Uint8Array(createHash("sha256").update(secret).update(ownTitle).update(challenge).digest()),
    ),
  (secret) => hashMechanism(nodeHashes, "high-md5", secret),
  (secret) => hashMechanism(nodeHashes, "high-sha1", secret),
  (secret) => hashMechanism(nodeHashes, "high-sha256", secret),
];

type Config = AssociationConfig<KeyObject>;

function proven(mechanism: HlsMechanism, bytes = 32): (config: Config) => Config {
  return (config) => ({ ...config, authentication: { kind: "hls", challenge: nodePlatform.random(bytes), mechanism } });
}

for (const make of BY_SECRET)
  test(`client and meter prove a secret to each other: ${make(SECRET).name}`, async () => {
    const meter = securedMeter({ suite: 0, mechanism: make(SECRET) });
    for (const cipheredContext of [true, false]) {
      const session = await meter.open((config) => ({ ...proven(make(SECRET))(config), cipheredContext }), PROVEN);
      assert.equal(toHex(await session.get(NAME_ADDRESS)), NAME_VALUE);
      await session.release();
    }
    await assert.rejects(meter.open(proven(make(WRONG)), PROVEN), { code: "action-refused" });
    assert.equal(meter.events.filter(({ kind }) => kind === "association-refused").length, 1);
  });

/** Both ends of mechanism 7. */
function signers(suite: 1 | 2) {
  const curve = suite === 1 ? "P-256" : "P-384";
  const [client, meter] = [nodeCurves.generate(curve), nodeCurves.generate(curve)];
  const end = (own: typeof client, otherSigning: () => Uint8Array | undefined) =>
    ecdsaMechanism({ curves: nodeCurves, suite, signing: own.privateKey, otherSigning });
  return {
    client: end(client, () => meter.publicKey),
    meter: end(meter, () => client.publicKey),
    stranger: end(nodeCurves.generate(curve), () => meter.publicKey),
    unbelieving: end(client, () => undefined),
  };
}

for (const suite of [1, 2] as const)
  test(`client and meter prove their signing keys to each other in suite ${suite}`, async () => {
    const { client, meter: meterEnd, stranger, unbelieving } = signers(suite);
    const meter = securedMeter({ suite, mechanism: meterEnd });
    const session = await meter.open(proven(client), PROVEN);
    assert.equal(toHex(await session.get(NAME_ADDRESS)), NAME_VALUE);
    await session.release();
    await assert.rejects(meter.open(proven(stranger), PROVEN), { code: "action-refused" });
    await assert.rejects(meter.open(proven(unbelieving), PROVEN), { code: "server-not-authentic" });
    // Signatures need 32 octets of challenge, unless a profile is content with less.
    await assert.rejects(meter.open(proven(client, 16), PROVEN), { code: "association-rejected" });
    const lenient = { ...STANDARD_SECURITY, challengeBytes: { least: 8, leastSigned: 8, most: 64 } };
    const tolerant = securedMeter({ suite, mechanism: meterEnd, profile: lenient });
    await (await tolerant.open(proven(client, 16), PROVEN)).release();
  });

test("certificates travel with the AARQ and the AARE, and each side judges the other's", async () => {
  const [clientPair, meterPair] = [nodeCurves.generate("P-256"), nodeCurves.generate("P-256")];
  const [clientCertificate, meterCertificate] = [fromHex("300131"), fromHex("300132")];
  const seen: string[] = [];
  const end = (own: typeof clientPair, other: typeof clientPair, expected: Uint8Array) =>
    ecdsaMechanism({
      curves: nodeCurves,
      suite: 1,
      signing: own.privateKey,
      otherSigning: (title, certificate) => {
        seen.push(`${toHex(title)} ${toHex(certificate ?? fromHex(""))}`);
        return certificate !== undefined && toHex(certificate) === toHex(expected) ? other.publicKey : undefined;
      },
    });
  const refused = () => undefined;
  const certificates = {
    list: () => [],
    generateKeyPair: () => false,
    certificateRequest: refused,
    import: () => false,
    export: refused,
    remove: () => false,
    ownSigning: () => meterCertificate,
  };
  const meter = securedMeter({ suite: 1, mechanism: end(meterPair, clientPair, clientCertificate), certificates });
  const client = end(clientPair, meterPair, meterCertificate);
  const session = await meter.open((config) => ({ ...proven(client)(config), certificate: clientCertificate }), PROVEN);
  await session.release();
  assert.deepEqual(seen, [`4d4b480000000001 300131`, `${toHex(METER)} 300132`]);
  await assert.rejects(meter.open(proven(client), PROVEN), { code: "action-refused" });
});

test("with short names the proof goes by READ", async () => {
  for (const mechanism of [undefined, aesMechanism(SECRET)]) {
    const meter = securedMeter({ suite: 0, ...(mechanism === undefined ? {} : { mechanism }) });
    const short = (config: Config): Config => ({ ...config, referencing: "short-name" });
    const session = await meter.open(
      (config) => short(mechanism === undefined ? config : proven(mechanism)(config)),
      SHORT_NAMED,
    );
    assert.equal(session.negotiated.associationBaseName, 0xfa00);
    await session.release();
    assert.ok(meter.events.some(({ kind }) => kind === "associated"));
  }
});

test("a challenge that is reflected, of a wrong length or an APDU is not answered, unless a profile allows it", async () => {
  const { config } = securedMeter({ suite: 0 });
  const { authentication } = config;
  assert.ok(authentication.kind === "gmac");
  const plain: Config = { ...config, cipheredContext: false };
  const outcome = (challenge: Uint8Array, more: Partial<Config> = {}): string => {
    const [requested] = stepAssociation(
      { kind: "idle", config: { ...plain, ...more } },
      { kind: "associate", invocationCounter: 1 },
    );
    const [state] = stepAssociation(requested, { kind: "received", apdu: aareWith(challenge) });
    return state.kind === "failed" ? state.error.message : state.kind;
  };
  assert.equal(outcome(nodePlatform.random(16)), "proving");
  assert.match(outcome(authentication.challenge), /our own/);
  assert.match(outcome(nodePlatform.random(7)), /7 octets where 8 to 64/);
  assert.match(outcome(nodePlatform.random(65)), /65 octets/);
  const disconnect = fromHex("c301c10046000060030aff0100");
  assert.match(outcome(disconnect), /is an APDU/);
  assert.match(
    outcome(fromHex(`${toHex(disconnect)}00`)),
    /is an APDU/,
    "with a tail that a lenient meter passes over",
  );
  const profile = { ...STANDARD_SECURITY, refuseApduChallenges: false };
  assert.equal(outcome(disconnect, { profile }), "proving");
  const nextBlock = fromHex("c302c100000001");
  assert.match(
    outcome(fromHex(`${toHex(nextBlock)}00`)),
    /^proving$/,
    "of no effect, and a random challenge may be so",
  );
  // Always the same ones: of random ones one in 600 000 is an APDU.
  for (let run = 0; run < 20_000; run += 1) {
    const challenge = createHash("sha256").update(String(run)).digest().subarray(0, 16);
    assert.equal(outcome(new Uint8Array(challenge)), "proving");
  }
});

/** An AARE of mechanism 5 by hand. */
function aareWith(challenge: Uint8Array): Uint8Array {
  const value = `80${challenge.length.toString(16).padStart(2, "0")}${toHex(challenge)}`;
  const body =
    "a109060760857405080101a203020100a305a10302010ea40a0408" +
    `${toHex(METER)}88020780890760857405080205aa${(value.length / 2).toString(16).padStart(2, "0")}${value}` +
    "be10040e0800065f1f040000501f01f40007";
  const length = body.length / 2;
  return fromHex(`61${length < 128 ? "" : "81"}${length.toString(16).padStart(2, "0")}${body}`);
}

test("every field of the AARQ is sent where it is given, and the meter judges those that concern it", async () => {
  const meter = securedMeter({ suite: 0 });
  const fields = {
    protocolVersion: true,
    calledApTitle: METER,
    calledAeQualifier: fromHex("01"),
    calledApInvocationId: 2,
    calledAeInvocationId: 3,
    callingApInvocationId: 4,
    implementationInformation: fromHex("05"),
  };
  const config = { ...meter.config, fields, userId: 6, certificate: fromHex("07"), qualityOfService: 8 };
  const [, effect] = stepAssociation({ kind: "idle", config }, { kind: "associate", invocationCounter: 1 });
  assert.ok(effect?.kind === "send");
  const sent = decodeApdu(aarqCodec, effect.apdu);
  assert.deepEqual({ ...sent, ...fields }, sent);
  assert.deepEqual([sent.callingAeInvocationId, sent.callingAeQualifier], [6, fromHex("07")]);
  await (await meter.open(() => config, MANAGEMENT)).release();
  const stranger = { ...config, fields: { ...fields, calledApTitle: fromHex("0102030405060708") } };
  await assert.rejects(
    meter.open(() => stranger, MANAGEMENT),
    { reason: "called-AP-title-not-recognized" },
  );
  const older = { ...config, fields: { ...fields, protocolVersion: false } };
  await assert.rejects(
    meter.open(() => older, MANAGEMENT),
    { reason: "no-common-acse-version" },
  );
});

test("a meter that knows users takes no other, and shows who it is", async () => {
  const users = [
    { userId: 7, userName: "reader" },
    { userId: 9, userName: "fitter" },
  ];
  const meter = securedMeter({ suite: 0, users });
  const session = await meter.open((config) => ({ ...config, userId: 9 }));
  await session.release();
  for (const userId of [undefined, 8])
    await assert.rejects(
      meter.open((config) => (userId === undefined ? config : { ...config, userId })),
      {
        reason: "calling-AE-invocation-identifier-not-recognized",
      },
    );
});
