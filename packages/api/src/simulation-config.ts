import { exchangeDirectory, island, port, stateDirectory, trunkAuthorities, utility } from "./process-settings.ts";
import type { SettingValues } from "./settings.ts";

/** Configuration of apps/factory, which runs once for each of its two actions and exits with status 0. */
export const FACTORY_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  action: {
    kind: "choice",
    of: ["identify", "produce"],
    description:
      "identify: make the signing keys if absent and write manufacturer.json. produce: make meters, a sealed shipment in shipments/, the production file and grid.json.",
  },
  manufacturerName: { kind: "text", description: "The name in manufacturer.json and in shipments." },
  customer: { kind: "text", description: "The name of the utility in the shipment." },
  utility,
  island,
  homes: {
    kind: "integer",
    unit: "meters",
    minimum: 1,
    maximum: 100_000,
    description: "How many homes to make meters for.",
  },
  seed: { kind: "text", description: "The seed of layout and load, never of keys." },
  profiles: {
    kind: "text",
    optional: true,
    description: "Companion profiles of the homes with their shares, such as idis-p2=3,metcom-mcs301=1.",
  },
  factoryKeys: {
    kind: "choice",
    of: ["random", "derived"],
    optional: true,
    description:
      "Where the meters' factory keys come from: the system's generator (random, unless given), or a master of the factory's that is handed over in factory-master.json (derived).",
  },
  productionFile: {
    kind: "path",
    description:
      "produce: where to write the meters' own side (JSON lines, mode 0600, in the factory's directory); the supervisor moves it to the town's directory.",
  },
} as const;
export type FactoryConfig = SettingValues<typeof FACTORY_CONFIG>;

/** Configuration of apps/town. */
export const TOWN_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  productionFile: { kind: "path", description: "The meters' own side, as the factory wrote it (JSON lines)." },
  host: { kind: "text", description: "The loopback address on which the meters listen." },
  basePort: {
    kind: "integer",
    unit: "port",
    minimum: 0,
    maximum: 65_000,
    description: "The first meter's port, counted up from there; 0 lets the system choose each.",
  },
  speed: {
    kind: "number",
    unit: "simulated seconds a second",
    minimum: 1,
    maximum: 86_400,
    description: "How fast the town's time runs. A new value takes effect without a jump of the town's clock.",
  },
  pushHost: { kind: "text", description: "Where the meters push to." },
  pushPort: port("The push port, TCP and UDP."),
  callPort: { ...port("Where meters call that are not called, on the same host."), optional: true },
  callers: {
    kind: "integer",
    unit: "meters",
    minimum: 0,
    maximum: 20_000,
    description: "How many of the meters in the field call the head-end and keep the connection; the last ones.",
  },
  manyWays: {
    kind: "flag",
    description:
      "Whether meters in the field are reached in several ways: of each four the first at a port of its own, the others over UDP, over HDLC and behind a gateway.",
  },
  callTls: {
    kind: "record",
    description:
      "Where they call over mutual TLS: all of them, or every second one where there is a `callPort` as well. Their keys and certificates come into the folder `calls` of the state directory; who has none yet waits.",
    optional: true,
    fields: {
      port: port("On the same host."),
      headEnd: { kind: "text", description: "The common name in the certificate of the head-end." },
    },
  },
} as const;
export type TownConfig = SettingValues<typeof TOWN_CONFIG>;

/** Configuration of apps/concentrator: the data concentrators of a virtual town. */
export const CONCENTRATOR_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  host: { kind: "text", description: "The loopback address on which the concentrators listen." },
  headEnd: { kind: "text", description: "The common name in the certificate of the head-end that they serve." },
  authorities: trunkAuthorities,
  enrolment: {
    kind: "record",
    description: "The enrolment service (EST, RFC 7030) that certifies the keys that they make.",
    fields: {
      host: { kind: "text", description: "A name or address in its certificate." },
      port: port("Its port."),
    },
  },
  metersEach: {
    kind: "integer",
    unit: "meters",
    minimum: 1,
    maximum: 1_000,
    description: "How many meters each serves; those in the field, in the order of addresses.json.",
  },
  concentrators: {
    kind: "list",
    description: "Who they are.",
    of: {
      kind: "record",
      fields: {
        name: { kind: "text", description: "The common name of its certificate." },
        password: {
          kind: "text",
          optional: true,
          description: "The one-time password that it enrols with. Not needed where it has a certificate.",
        },
      },
    },
  },
} as const;
export type ConcentratorConfig = SettingValues<typeof CONCENTRATOR_CONFIG>;

/** What the file is called in which a concentrator keeps its private key and certificate. */
export function concentratorIdentityFile(name: string): string {
  return `${name}.identity.pem`;
}
