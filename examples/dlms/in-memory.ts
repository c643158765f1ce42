/**
 * A meter and its client in one place, without socket or platform: what a test of yours may want, and what runs in a
 * browser as it stands. `node examples/dlms/in-memory.ts`.
 *
 * It also shows an interface class of one's own: one declaration gives the meter its handlers and the client its types.
 */
import {
  attribute,
  CosemServer,
  d,
  deviceModel,
  type Exchange,
  frameCountersFrom,
  fullAccess,
  interfaceClass,
  localAssociator,
  method,
  mount,
  openSession,
  remote,
  risingCountersFrom,
  type SecuritySetupPort,
  type SoftwareKey,
  softwareCiphers,
  softwareKey,
  systemTitle,
} from "@meterkeep/dlms";

/** A class of a maker: numbers from 8192 on are theirs. */
const DoorContact = interfaceClass({
  id: 8192,
  name: "DoorContact",
  version: 0,
  attributes: {
    state: attribute(2, d.enumeration({ closed: 0, open: 1 })),
    openings: attribute(3, d.doubleLongUnsigned),
  },
  methods: { forget: method(1) },
});
const DOOR = "0.0.96.20.0.255";
const SECURITY_SETUP = "0.0.43.0.0.255";

interface Door {
  openings: number;
}

/** Where random octets come from: the platform's, handed in. */
export type RandomOctets = (count: number) => Uint8Array;

/** Opens a door twice, reads it over a ciphered association, and makes it forget. Gives what was read. */
export async function readDoor(random: RandomOctets): Promise<readonly (number | string)[]> {
  const keys = {
    globalUnicastEncryptionKey: softwareKey(random(16)),
    authenticationKey: random(16),
    keyEncryptionKey: softwareKey(random(16)),
  };
  const server = meterWith(keys, random, { openings: 2 });
  const associator = localAssociator(
    {
      authentication: { kind: "gmac", challenge: random(16) },
      systemTitle: systemTitle(Uint8Array.of(0x4d, 0x4b, 0x48, 0, 0, 0, 0, 1)),
      ciphering: {
        ciphers: softwareCiphers,
        ...{ suite: 0, form: "global", authenticated: true, encrypted: true },
        encryptionKey: keys.globalUnicastEncryptionKey,
        authenticationKey: keys.authenticationKey,
      },
    },
    { frameCounters: frameCountersFrom(1), receivedCounters: risingCountersFrom(0) },
  );
  const session = await openSession({ exchange: exchangeWith(server), associator });
  const door = remote(session, DoorContact, DOOR);
  const { state, openings } = await door.getAll("state", "openings");
  await door.call("forget");
  const afterwards = await door.get("openings");
  await session.release();
  return [state, openings, afterwards];
}

function meterWith(
  keys: ReturnType<SecuritySetupPort<SoftwareKey>["keys"]["current"]>,
  random: RandomOctets,
  state: Door,
): CosemServer<SoftwareKey, Door> {
  const counters = { sent: 0, lowest: 0 };
  const setup: SecuritySetupPort<SoftwareKey> = {
    suite: 0,
    policy: {
      authenticatedRequest: true,
      encryptedRequest: true,
      authenticatedResponse: true,
      encryptedResponse: true,
    },
    systemTitle: systemTitle(Uint8Array.of(0x4d, 0x4b, 0x50, 0, 0, 0, 0, 1)),
    keys: { current: () => keys, install: () => false },
    counters: {
      next: () => counters.sent++,
      lowestAcceptable: () => counters.lowest,
      accept: (counter) => {
        counters.lowest = counter + 1;
      },
    },
  };
  const served = DoorContact.serve<Door>({
    get: { state: (door) => (door.openings > 0 ? "open" : "closed"), openings: (door) => door.openings },
    call: {
      forget: (_, door) => {
        door.openings = 0;
      },
    },
  });
  const model = deviceModel<Door>({
    objects: [mount(DOOR, served)],
    associations: [
      {
        name: "management",
        clientSap: 1,
        authentication: { kind: "gmac" },
        securitySetup: SECURITY_SETUP,
        access: fullAccess,
      },
    ],
  });
  return new CosemServer<SoftwareKey, Door>(model, {
    state,
    ciphers: softwareCiphers,
    // Nobody changes keys here.
    keyWrap: { wrap: () => new Uint8Array(), unwrap: () => undefined },
    importKey: softwareKey,
    random,
    securitySetup: (logicalName) => (logicalName === SECURITY_SETUP ? setup : undefined),
    checkPassword: () => false,
    setPassword: () => false,
  });
}

/** The line: octets in, octets out. */
function exchangeWith(server: CosemServer<SoftwareKey, Door>): Exchange {
  const connection = server.connect(1, 1);
  return async (apdu) => {
    const answer = server.handle(connection, apdu);
    if (answer === undefined) throw new Error("the meter does not answer");
    return answer;
  };
}

if (import.meta.main)
  console.log((await readDoor((count) => crypto.getRandomValues(new Uint8Array(count)))).join(", "));
