import { createSecretKey, type KeyObject } from "node:crypto";
import { nodeCurves, nodePlatform } from "@meterkeep/dlms-node";
import { fromHex, toHex } from "../bytes.ts";
import type { AssociationConfig, ClientGeneralProtection } from "../client/association-config.ts";
import { localAssociator } from "../client/local-associator.ts";
import { risingCountersFrom } from "../client/protection.ts";
import { openSession, type Session } from "../client/session.ts";
import { DataClass } from "../cosem/classes/data-class.ts";
import type { HlsMechanism } from "../security/hls-mechanisms.ts";
import type { SecurityProfile } from "../security/profile.ts";
import { SECURITY_SUITES, type SecuritySuiteId } from "../security/suites.ts";
import { fullAccess } from "../server/access.ts";
import { serveDataProtection } from "../server/data-protection-object.ts";
import { deviceModel, mount } from "../server/device-model.ts";
import type {
  AssociationEdits,
  AssociationUser,
  CertificateStore,
  Device,
  KeyPurpose,
  KeySet,
  SecurityPolicy,
  SecuritySetupPort,
  ServerEvent,
} from "../server/ports.ts";
import { serveSecuritySetup } from "../server/security-setup-object.ts";
import { CosemServer } from "../server/server.ts";
import { systemTitle } from "../system-title.ts";

// A meter with key pairs, for the tests of suites 1 and 2: keys are node:crypto's.

export const CLIENT = systemTitle(fromHex("4d4b480000000001"));
export const METER = systemTitle(fromHex("4d4b4d0000000001"));
export const SETUP = "0.0.43.0.0.255";
export const NAME = "0.0.42.0.0.255";
export const SECRET_DATA = "0.0.96.1.0.255";
export const DATA_PROTECTION = "0.0.43.2.0.255";
export const MANAGEMENT = 1;
/** The client of high level security without GMAC. */
export const PROVEN = 2;
export const SHORT_NAMED = 3;

/** What a test may ask of its meter. */
export interface SecuredMeterOptions {
  readonly suite: SecuritySuiteId;
  readonly policy?: Partial<SecurityPolicy>;
  readonly profile?: SecurityProfile;
  readonly mechanism?: HlsMechanism;
  readonly certificates?: CertificateStore;
  /** Users that the associations know by number. */
  readonly users?: readonly AssociationUser[];
}

type Purposes = Record<KeyPurpose, Uint8Array>;

/** Both ends: a meter, and a way to associate with it. */
export function securedMeter(options: SecuredMeterOptions) {
  const { suite, mechanism } = options;
  const { keyBytes, curve } = SECURITY_SUITES[suite];
  const pair = () => nodeCurves.generate(curve ?? "P-256");
  const [clientSigning, clientAgreement, meterSigning, meterAgreement] = [pair(), pair(), pair(), pair()];
  let octets: Purposes = {
    globalUnicastEncryptionKey: new Uint8Array(keyBytes).fill(1),
    globalBroadcastEncryptionKey: new Uint8Array(keyBytes).fill(2),
    authenticationKey: new Uint8Array(keyBytes).fill(3),
    keyEncryptionKey: new Uint8Array(keyBytes).fill(4),
  };
  let current: KeySet<KeyObject> | undefined;
  let policy: SecurityPolicy = {
    authenticatedRequest: false,
    encryptedRequest: false,
    authenticatedResponse: false,
    encryptedResponse: false,
    ...options.policy,
  };
  let sent = 0;
  let received = 0;
  let broadcast = 0;
  const transactions = new Set<string>();
  const events: ServerEvent[] = [];
  const setup: SecuritySetupPort<KeyObject> = {
    suite,
    get policy() {
      return policy;
    },
    systemTitle: METER,
    keys: {
      current: () => {
        current ??= {
          globalUnicastEncryptionKey: createSecretKey(octets.globalUnicastEncryptionKey),
          globalBroadcastEncryptionKey: createSecretKey(octets.globalBroadcastEncryptionKey),
          authenticationKey: octets.authenticationKey,
          keyEncryptionKey: createSecretKey(octets.keyEncryptionKey),
        };
        return current;
      },
      install: (keys) => {
        for (const { purpose, octets: key } of keys) octets = { ...octets, [purpose]: key };
        current = undefined;
        return true;
      },
    },
    counters: {
      next: () => sent++,
      lowestAcceptable: () => received,
      accept: (counter) => {
        received = counter + 1;
      },
    },
    broadcastCounters: {
      lowestAcceptable: () => broadcast,
      accept: (counter) => {
        broadcast = counter + 1;
      },
    },
    general: {
      platform: nodePlatform,
      profile: options.profile,
      keysFor: () => ({
        signing: meterSigning.privateKey,
        agreement: meterAgreement.privateKey,
        otherSigning: clientSigning.publicKey,
        otherAgreement: clientAgreement.publicKey,
      }),
      acceptTransaction: (_, id) => {
        const isNew = !transactions.has(toHex(id));
        transactions.add(toHex(id));
        return isNew;
      },
    },
    certificates: options.certificates,
    activate: (wanted) => {
      policy = wanted;
      return true;
    },
  };
  let secretData = fromHex("0102");
  const secured = { securitySetup: SETUP, access: fullAccess } as const;
  const proven =
    mechanism === undefined ? ({ kind: "gmac" } as const) : ({ kind: "hls", mechanism: mechanism.name } as const);
  const model = deviceModel<undefined>({
    objects: [
      mount(NAME, DataClass.serve({ get: { value: () => ({ type: "octet-string", value: fromHex("4d4b4d") }) } })),
      mount(
        SECRET_DATA,
        DataClass.serve({
          get: { value: () => ({ type: "octet-string", value: secretData }) },
          set: {
            value: (value) => {
              if (value.type === "octet-string") secretData = value.value.slice();
              return undefined;
            },
          },
        }),
      ),
      mount(SETUP, serveSecuritySetup()),
      mount(DATA_PROTECTION, serveDataProtection(SETUP)),
    ],
    associations: [
      { name: "management", clientSap: MANAGEMENT, authentication: { kind: "gmac" }, ...secured },
      { name: "proven", clientSap: PROVEN, authentication: proven, ...secured },
      { name: "short", clientSap: SHORT_NAMED, authentication: proven, shortNameVersion: 4, ...secured },
    ],
  });
  const device: Device<KeyObject, undefined> = {
    state: undefined,
    ciphers: nodePlatform.ciphers,
    keyWrap: nodePlatform.keyWrap,
    importKey: nodePlatform.importKey,
    random: nodePlatform.random,
    securitySetup: () => setup,
    checkPassword: () => false,
    setPassword: () => false,
    hlsMechanism: () => mechanism,
    ...(options.users === undefined ? {} : { associationEdits: editsWith(options.users) }),
    securityProfile: options.profile,
    onEvent: (event) => {
      events.push(event);
    },
  };
  const server = new CosemServer(model, device);
  const general: ClientGeneralProtection<KeyObject> = {
    platform: nodePlatform,
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    keys: {
      keyEncryption: createSecretKey(octets.keyEncryptionKey),
      broadcast: createSecretKey(octets.globalBroadcastEncryptionKey),
      signing: clientSigning.privateKey,
      agreement: clientAgreement.privateKey,
      otherSigning: meterSigning.publicKey,
      otherAgreement: meterAgreement.publicKey,
    },
  };
  const config: AssociationConfig<KeyObject> = {
    authentication: { kind: "gmac", challenge: nodePlatform.random(16) },
    systemTitle: CLIENT,
    serverSystemTitle: METER,
    ciphering: {
      ciphers: nodePlatform.ciphers,
      suite,
      authenticated: true,
      encrypted: true,
      form: "global",
      encryptionKey: createSecretKey(octets.globalUnicastEncryptionKey),
      authenticationKey: octets.authenticationKey,
      general,
    },
  };
  let nextCounter = 100;
  const open = (
    change: (config: AssociationConfig<KeyObject>) => AssociationConfig<KeyObject> = (same) => same,
    clientSap = MANAGEMENT,
    tap: (apdu: Uint8Array) => Uint8Array = (apdu) => apdu,
  ): Promise<Session> => {
    const connection = server.connect(clientSap, 1);
    const frameCounters = {
      take: (count: number) => {
        const first = nextCounter;
        nextCounter += count;
        return first;
      },
    };
    return openSession({
      associator: localAssociator(change(config), { frameCounters, receivedCounters: risingCountersFrom(0) }),
      exchange: async (apdu) => server.handle(connection, tap(apdu)) ?? new Uint8Array(0),
    });
  };
  const key = (purpose: KeyPurpose) => toHex(octets[purpose]);
  return { server, setup, events, config, general, open, key, signing: { client: clientSigning, meter: meterSigning } };
}

function editsWith(users: readonly AssociationUser[]): AssociationEdits {
  return { hidden: () => false, setHidden: () => false, users: () => users, setUsers: () => false };
}
