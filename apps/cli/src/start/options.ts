import type { Setting } from "@meterkeep/api/settings";

/** An option of `meterkeep start`: its name gives `--name` and `METERKEEP_NAME`. */
export type StartOption = Setting & { readonly default?: string | number | boolean };

/** What can be said to `meterkeep start`, in one place: help, environment, `--print-config` and the documentation come from here. */
export const START_OPTIONS = {
  meters: {
    kind: "integer",
    unit: "homes",
    minimum: 1,
    maximum: 20_000,
    default: 200,
    description: "How many homes the virtual town has. Only the first start of a state directory makes meters.",
  },
  speed: {
    kind: "number",
    unit: "simulated seconds a second",
    minimum: 1,
    maximum: 86_400,
    default: 60,
    description: "How fast the town's time runs.",
  },
  seed: {
    kind: "text",
    default: "meterkeep",
    description: "Layout and load of the town follow from this text; keys never do.",
  },
  profiles: {
    kind: "text",
    optional: true,
    description:
      "Companion profiles of the town's homes with their shares, such as idis-p2=3,metcom-mcs301=1; a mix of three unless given. Counts at the first start only.",
  },
  factoryKeys: {
    kind: "text",
    default: "random",
    description:
      "Where the virtual meters' factory keys come from: random, or derived from a master that the factory hands to the custodian, so that its shipment carries none. Counts at the first start only.",
  },
  port: {
    kind: "integer",
    unit: "port",
    minimum: 1,
    maximum: 65_535,
    default: 8420,
    description: "The port of the console and the API, on loopback only.",
  },
  approvalsPort: {
    kind: "integer",
    unit: "port",
    minimum: 1,
    maximum: 65_535,
    default: 8421,
    description:
      "The port of the custodian's own page, on loopback only, where people see what they approve and sign it. Passkeys belong to it: another port is another page to them.",
  },
  fieldPort: {
    kind: "integer",
    unit: "port",
    minimum: 1,
    maximum: 65_535,
    optional: true,
    description:
      "The port of the technicians' page, on loopback only: the custodian serves it to handhelds, which visit meters offline under a lease. Without it nothing listens.",
  },
  fieldOrigin: {
    kind: "text",
    optional: true,
    description:
      "What browsers call the technicians' page where a server with a certificate stands before its port, as phones need it: https://field.example.",
  },
  pushPort: {
    kind: "integer",
    unit: "port",
    minimum: 1,
    maximum: 65_535,
    default: 4059,
    description: "The port on which meters push, TCP and UDP.",
  },
  listen: {
    kind: "text",
    default: "127.0.0.1",
    description: "The address of the push port. Another than loopback opens it, and nothing else, to that network.",
  },
  timeZone: {
    kind: "text",
    default: "UTC",
    description:
      "The utility's time zone, as Europe/Berlin. Days of the service level, and 08:00 and 24:00 by which they are to be held, are by the clocks there; a day has 92 or 100 quarters of an hour when clocks change.",
  },
  keepReadings: {
    kind: "integer",
    unit: "days",
    minimum: 2,
    maximum: 36_500,
    default: 400,
    description:
      "How long readings are kept, together with the octets that prove them and the ladders of their sessions: thirteen months by default, so that a year can be compared with the one before. Trust, takeovers and the ledger stay; each deletion is in the ledger.",
  },
  readEvery: {
    kind: "integer",
    unit: "seconds at the meters",
    minimum: 60,
    maximum: 2_592_000,
    default: 900,
    description:
      "How often each meter is read, in its own time: every quarter of an hour, or 86400 for one session a day that brings all its intervals.",
  },
  powerQuality: {
    kind: "choice",
    of: ["yes", "no"],
    default: "yes",
    description:
      "Collect power quality as intervals are collected: once a day, of meters that have a profile of it, with its gaps on the service level page. With no it is read when somebody asks.",
  },
  workers: {
    kind: "integer",
    unit: "processes",
    minimum: 0,
    maximum: 8,
    default: 0,
    description:
      "How many processes of their own hold the sessions with meters; 0 lets the head-end's server hold them. Workers reach meters by address themselves, and over the server what it holds connections to: data concentrators, and meters that call.",
  },
  workerGate: {
    kind: "text",
    optional: true,
    description:
      "The address and port, as 192.0.2.1:8425, where workers on other machines come in over mutual TLS. Nobody comes in before `meterkeep worker enrol`; without it nothing listens.",
  },
  announce: {
    kind: "choice",
    of: ["no", "yes"],
    default: "no",
    description:
      "Keep what is read, believed and done for consumers, in order: they read it on at /api/v1/announcements. On with --nats.",
  },
  nats: {
    kind: "text",
    optional: true,
    description:
      "Carry it to NATS with JetStream too: nats://host:port or tls://host:port, with user and password or a token. For an island a leaf node, which keeps it while the hub is away.",
  },
  natsDomain: { kind: "text", optional: true, description: "The JetStream domain of that server." },
  natsGathers: {
    kind: "text",
    optional: true,
    description: "At the hub: the JetStream domains of leaf nodes whose streams it gathers, with commas.",
  },
  natsHears: {
    kind: "choice",
    of: ["no", "yes"],
    default: "no",
    description: "Take in what other islands tell, and keep it beside what this one does.",
  },
  sessions: {
    kind: "integer",
    unit: "sessions",
    minimum: 1,
    maximum: 20_000,
    default: 192,
    description: "How many sessions with meters one process holds at once: more where meters are slow to answer.",
  },
  gatewayNetworks: {
    kind: "text",
    default: "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
    description:
      "Networks, with commas between, in which serial gateways may stand that somebody adds to a meter. Loopback counts only when it is named by itself; link-local and metadata addresses and Meterkeep's own ports never.",
  },
  meterPort: {
    kind: "integer",
    unit: "port",
    minimum: 0,
    maximum: 65_000,
    default: 0,
    description: "The first port of the virtual meters, counted up from there; 0 lets the system choose.",
  },
  pushDestinations: {
    kind: "text",
    optional: true,
    description:
      "Further destinations that push set-ups of meters may name, as host:port with commas between: what the push port is called in their network. A meter that points elsewhere is an incident.",
  },
  callPort: {
    kind: "integer",
    unit: "port",
    minimum: 1,
    maximum: 65_535,
    optional: true,
    description: "The port on which meters call that keep their connection; without it nothing listens.",
  },
  callTlsPort: {
    kind: "integer",
    unit: "port",
    minimum: 1,
    maximum: 65_535,
    optional: true,
    description:
      "The same over mutual TLS: only meters with a certificate of the utility's own PKI are heard. The town's callers use it, every second one where --call-port is given as well.",
  },
  townWays: {
    kind: "choice",
    of: ["tcp", "many"],
    default: "tcp",
    description:
      "How the town's meters in the field are reached: each at a TCP port of its own, or by many ways: of each four the first at a port, the others over UDP, over HDLC and behind a gateway.",
  },
  callers: {
    kind: "integer",
    unit: "meters",
    minimum: 0,
    maximum: 20_000,
    default: 0,
    description:
      "How many of the town's meters in the field call, with --call-port or --call-tls-port, instead of being called.",
  },
  simBudgets: {
    kind: "text",
    optional: true,
    description:
      "What the SIM of one meter may carry in a calendar month, in megabytes, by network: cellular=20,nb-iot=0.5. Beyond it the meter is read no more until the next month, and commanded and given keys as before; reading on demand stops before that, so that it takes nothing from scheduled reading.",
  },
  wakeUpUrl: {
    kind: "text",
    optional: true,
    description:
      "Where to post the system title of a meter that shall call and has not: a gateway for SMS, for instance. Four times a day and meter at most.",
  },
  wakeUpAuthorization: {
    kind: "text",
    optional: true,
    description: "The `authorization` header for --wake-up-url; better given by its variable than on a command line.",
  },
  concentrators: {
    kind: "integer",
    unit: "concentrators",
    minimum: 0,
    maximum: 100,
    default: 0,
    description:
      "How many data concentrators the virtual town has. Each serves 130 of the meters in the field over mutual TLS; the others are reached one by one.",
  },
  state: {
    kind: "path",
    optional: true,
    description: "The directory of everything that Meterkeep keeps. Default: ./var of the checkout.",
  },
  utility: { kind: "text", default: "demo", description: "The utility that the meters belong to." },
  island: { kind: "text", default: "main", description: "The island that the meters belong to." },
  databaseUrl: {
    kind: "text",
    optional: true,
    description:
      "A PostgreSQL 15 or later to use instead of the embedded one, as a user with CREATEDB and CREATEROLE; also read from DATABASE_URL.",
  },
  databaseSuffix: {
    kind: "text",
    optional: true,
    description: "Is put behind the names of the databases and roles, for several installations on one server.",
  },
  passphraseFile: {
    kind: "path",
    optional: true,
    description: "A file (mode 0600) with the passphrase of the custodian's vault, instead of a root key file.",
  },
  secretsDirectory: {
    kind: "path",
    optional: true,
    description:
      "A directory in memory (%t/meterkeep of a systemd unit with RuntimeDirectory=meterkeep) for the custodian's copy of the passphrase or tokens file; without it that lies in the custodian's state directory.",
  },
  credentialsDirectory: {
    kind: "path",
    optional: true,
    description:
      "Where systemd has put the credentials of the unit, also read from CREDENTIALS_DIRECTORY: files in it may be named by --passphrase-file and --tokens-file whatever their mode.",
  },
  tokensFile: {
    kind: "path",
    optional: true,
    description:
      'A file (mode 0600) with the PKCS#11 tokens that the custodian\'s vault is in, instead of a root key file: [{ "library", "label", "pin", "sessions"?, "env"? }].',
  },
  escrowDirectory: {
    kind: "path",
    optional: true,
    description:
      "A directory on other storage than the databases, where every new key of a meter is kept, sealed, before it is sent; one in the custodian's own state directory when absent.",
  },
  meterKeys: {
    kind: "text",
    default: "session",
    description:
      "How long the custodian has the working keys of a meter in clear: session (while one is open), call (unsealed for each), or token (with --tokens-file: unicast encryption keys stay in the tokens, save while they are changed).",
  },
  standby: {
    kind: "integer",
    unit: "seconds",
    minimum: 2,
    maximum: 3_600,
    optional: true,
    description:
      "Starts a second custodian that stands by: it takes over at once when the first is gone, and after so long when that gives no sign, and the first stands by from then on. Without it there is one custodian, started again when it ends.",
  },
  keyService: {
    kind: "text",
    optional: true,
    description:
      "The address and port, as 192.0.2.1:8423, where the custodian serves head-ends of other vendors over mutual TLS. Nobody is served before `meterkeep head-ends add`; without it nothing listens.",
  },
  enrolment: {
    kind: "text",
    optional: true,
    description:
      "The address and port, as 192.0.2.1:8424, where people and devices enrol for certificates over EST (RFC 7030), with the passwords of `meterkeep pki password` or the certificates they have. Without it nothing listens, save on 127.0.0.1:8424 where the town has data concentrators, and on that port of the --worker-gate, which enrol there.",
  },
  pkiAddress: {
    kind: "text",
    optional: true,
    description:
      "Where everybody reaches what the PKI publishes, such as http://pki.example/pki: a web server there asks for /pki of the console's port, as localhost. It goes into certificates that are made from then on; the console's own address on this machine unless given.",
  },
  pkiLimits: {
    kind: "text",
    optional: true,
    description:
      "Who may order more certificates in 24 hours than 1 000, or fewer, as the ledger names them: operator=100000,est:dc-7=10. The operator's are those of `meterkeep pki issue` and `meterkeep pki batch`.",
  },
  organisation: {
    kind: "text",
    optional: true,
    description:
      "The issuer of the organisation's OpenID Connect provider, with which people may sign in: https, or http on this machine. Its redirect address for us is the console's /sign-in/organisation.",
  },
  organisationName: {
    kind: "text",
    default: "your organisation",
    description: "What people call that provider: it stands on the button.",
  },
  organisationClient: {
    kind: "text",
    default: "meterkeep",
    description: "The client id that the provider has given us.",
  },
  organisationSecretFile: {
    kind: "path",
    optional: true,
    description: "A file (mode 0600) with the client secret; without it we are a public client, which PKCE protects.",
  },
  userIds: {
    kind: "integer",
    unit: "user id",
    minimum: 1_000,
    maximum: 65_000,
    default: 60_900,
    description: "The first of the ten user ids that the processes run under when Meterkeep is started as root.",
  },
} as const satisfies Readonly<Record<string, StartOption>>;

/** `pushPort` as a command line writes it: `push-port`. */
export function optionName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `pushPort` as the environment writes it: `METERKEEP_PUSH_PORT`. */
export function variableName(name: string): string {
  return `METERKEEP_${optionName(name).replaceAll("-", "_").toUpperCase()}`;
}
