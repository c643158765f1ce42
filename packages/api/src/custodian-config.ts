import {
  database,
  exchangeDirectory,
  island,
  ownerDatabase,
  port,
  stateDirectory,
  utility,
} from "./process-settings.ts";
import type { SettingValues } from "./settings.ts";

/** Configuration of apps/custodian. */
export const CUSTODIAN_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  database,
  ownerDatabase,
  utility,
  island,
  socketPath: { kind: "path", description: "Where to listen. The directory exists and belongs to the custodian." },
  keyFile: { kind: "path", description: "The private key of the custodian's own channel credential (PEM, mode 0600)." },
  certificate: { kind: "text", description: "The custodian's own certificate (PEM)." },
  rootKeyFile: { kind: "path", description: "The vault's root key (mode 0600); made on first run when absent." },
  passphraseFile: {
    kind: "path",
    description: "A file (mode 0600) with the passphrase that the root key is derived from, instead of rootKeyFile.",
    optional: true,
  },
  tokensFile: {
    kind: "path",
    description:
      'A file (mode 0600) with the PKCS#11 tokens that the vault is in, instead of rootKeyFile: a JSON list of { "library", "label", "pin", "sessions"?, "env"? }.',
    optional: true,
  },
  escrowDirectory: {
    kind: "path",
    description:
      "Where every new key is kept, sealed, before it is sent to a meter, and every change of the database is noted; it should be on other storage than the database. `escrow` in stateDirectory when absent.",
    optional: true,
  },
  recovery: {
    kind: "list",
    of: { kind: "text" },
    description:
      "Who can open backups: public recovery keys, each as the JSON text that `meterkeep backup key` wrote. None are made when absent.",
    optional: true,
  },
  standbyAfter: {
    kind: "integer",
    unit: "milliseconds",
    minimum: 2_000,
    maximum: 3_600_000,
    description:
      "Makes this process a standby: it waits while another custodian holds the database, and takes its place when that one is gone or has given no sign for so long. Without it a second custodian refuses to start.",
    optional: true,
  },
  pagePort: {
    ...port(
      "Where the custodian's own page is, on loopback: people see there what they approve, and sign it with passkeys. No page when absent; user keys approve by the command line.",
    ),
    optional: true,
  },
  field: {
    kind: "record",
    description:
      "Where the technicians' page is, on loopback: a handheld in the browser, which visits meters offline under a lease. No such page when absent.",
    fields: {
      port: port("Its port."),
      directory: { kind: "path", description: "Where it was built." },
      origin: {
        kind: "text",
        description:
          "What browsers call it, where a server with a certificate stands before it, as phones need it: `https://field.example`. `http://localhost:PORT` when absent.",
        optional: true,
      },
    },
    optional: true,
  },
  probeSpacing: {
    kind: "integer",
    unit: "milliseconds",
    minimum: 0,
    maximum: 86_400_000,
    description:
      "How long to wait before a meter that may hold other keys is tried with the same ones again. An hour when absent, as meters in the field want it.",
    optional: true,
  },
  sealBudget: {
    kind: "record",
    description:
      "How many invocation counters of one meter one principal may use up; opening a session costs 8. A burst of 4 096 and 32 a second when absent: enough for a session of twenty requests every second, and 2^32 counters last four years.",
    fields: {
      burst: { kind: "integer", unit: "counters", minimum: 64, maximum: 1_000_000_000, description: "At once." },
      perSecond: {
        kind: "number",
        unit: "counters a second",
        minimum: 0.1,
        maximum: 1_000_000_000,
        description: "What comes back.",
      },
    },
    optional: true,
  },
  ledger: {
    kind: "record",
    description: "How the custodian's ledger is kept; what is in `ledger.json` of the state directory.",
    optional: true,
    fields: {
      everyEntries: {
        kind: "integer",
        unit: "entries",
        minimum: 1,
        maximum: 1_000_000,
        description: "A checkpoint is signed after so many entries; 4 096 when absent.",
        optional: true,
      },
      everySeconds: {
        kind: "integer",
        unit: "seconds",
        minimum: 1,
        maximum: 86_400,
        description: "And after so many seconds, where there are new entries; 30 when absent.",
        optional: true,
      },
      latestCheckpointSeconds: {
        kind: "integer",
        unit: "seconds",
        minimum: 60,
        maximum: 86_400,
        description: "Entries that wait for longer for a checkpoint are told of in the status; 300 when absent.",
        optional: true,
      },
      patrolEntriesPerSecond: {
        kind: "integer",
        unit: "entries",
        minimum: 1,
        maximum: 100_000,
        description:
          "How fast the custodian reads its own ledger for what was changed in it, from each start on and an hour after each pass; 1 000 when absent.",
        optional: true,
      },
      longestAwaySeconds: {
        kind: "integer",
        unit: "seconds",
        minimum: 60,
        maximum: 31_536_000,
        description: "A witness that is away for longer stops what uses keys; a day when absent.",
        optional: true,
      },
      witnesses: {
        kind: "list",
        description: "Who remembers how far the ledger had grown, besides the file in the custodian's own directory.",
        optional: true,
        of: {
          kind: "record",
          fields: {
            name: { kind: "text", description: "Its name in the ledger." },
            path: { kind: "text", description: "Of a file on other storage.", optional: true },
            address: {
              kind: "text",
              description: "Of a second instance: https://host:port, or unix:/path.",
              optional: true,
            },
            keys: { kind: "text", description: "Of an instance: its witness.json, as JSON text.", optional: true },
            certificate: { kind: "text", description: "Of an instance over HTTPS (PEM).", optional: true },
          },
        },
      },
      approvers: {
        kind: "list",
        description: "Who may approve, two together, that a ledger goes on after a loss.",
        optional: true,
        of: {
          kind: "record",
          fields: {
            name: { kind: "text", description: "The person." },
            publicKey: { kind: "text", description: "P-384, Ed25519 or ML-DSA-65 (SPKI, PEM)." },
          },
        },
      },
    },
  },
  pki: {
    kind: "record",
    description: "How the authorities of the PKI are kept (ADR 0021).",
    optional: true,
    fields: {
      address: {
        kind: "text",
        description:
          "Where relying parties reach revocation lists and answers; it goes into certificates. http://localhost:8420/pki when absent.",
        optional: true,
      },
      developmentTree: {
        kind: "flag",
        description:
          "Where there is no authority yet, make a whole tree for this utility and island: its root signs one scheme and is forgotten. For development; elsewhere a root is made in a ceremony.",
        optional: true,
      },
      enrolment: {
        kind: "record",
        description:
          "Where the enrolment service (EST, RFC 7030) listens. Without it nobody enrols but over the custodian's socket.",
        optional: true,
        fields: {
          host: { kind: "text", description: "An address of this machine." },
          port: port("TCP; 0 lets the system choose.", 0),
          names: {
            kind: "list",
            of: { kind: "text" },
            description: "Names and addresses under which clients reach it: they stand in its certificate.",
          },
        },
      },
      limits: {
        kind: "list",
        description: "Who may order more certificates in 24 hours than 1 000, or fewer.",
        optional: true,
        of: {
          kind: "record",
          fields: {
            requester: { kind: "text", description: "The proven name: a principal, or a client of enrolment." },
            perDay: {
              kind: "integer",
              unit: "certificates in 24 hours",
              minimum: 0,
              maximum: 1_000_000_000,
              description: "How many.",
            },
          },
        },
      },
    },
  },
  meterKeys: {
    kind: "list",
    description:
      "How the working keys of an island's meters are kept while they are used; of an island that is not named, for as long as a session is open.",
    optional: true,
    of: {
      kind: "record",
      fields: {
        utility: { kind: "text", description: "The utility." },
        island: { kind: "text", description: "The island." },
        keep: {
          kind: "choice",
          of: ["session", "call", "token"],
          description:
            "session: in clear in the custodian while a session is open. call: unsealed for each call anew and wiped after it. token: unicast encryption keys that are sealed from now on are in clear in tokens alone, save for the moments in which they are changed; the authentication key is unsealed for each call.",
        },
      },
    },
  },
  keyService: {
    kind: "record",
    description:
      "Where the key service listens for head-ends of other vendors (ADR 0018). Without it the custodian listens on its socket alone.",
    optional: true,
    fields: {
      host: { kind: "text", description: "An address of this machine." },
      port: port("TCP; 0 lets the system choose.", 0),
      keyFile: { kind: "path", description: "The private key of its TLS certificate (PEM, PKCS#8, mode 0600)." },
      certificate: { kind: "text", description: "That certificate (PEM), which names its hosts." },
    },
  },
  separateUser: {
    kind: "flag",
    description: "Whether the custodian runs under a user of its own; the page warns if not.",
  },
  principals: {
    kind: "list",
    description: "Who may connect. The principal is the certificate that was proven.",
    of: {
      kind: "record",
      fields: {
        name: { kind: "text", description: "The name in the ledger." },
        role: { kind: "choice", of: ["head-end", "depot", "operator"], description: "What it may ask." },
        certificate: { kind: "text", description: "Its certificate (PEM)." },
      },
    },
  },
  manufacturers: {
    kind: "list",
    description: "Whose shipments are accepted, by installer-level trust.",
    of: {
      kind: "record",
      fields: {
        name: { kind: "text", description: "The manufacturer's name." },
        flag: { kind: "text", description: "Its three-letter FLAG id." },
        ecdsaPublicKey: { kind: "text", description: "ECDSA P-384 public key (SPKI DER, base64url)." },
        mldsaPublicKey: { kind: "text", description: "ML-DSA-65 public key (SPKI DER, base64url)." },
        simulated: {
          kind: "flag",
          description:
            "Its meters are virtual: they are shown as such, run on the town's clock and are targets of drills. Absent means real.",
          optional: true,
        },
      },
    },
  },
} as const;
export type CustodianConfig = SettingValues<typeof CUSTODIAN_CONFIG>;
