// Settings that the configurations of several processes share.

/** Where the custodian listens, and how a process proves who it is there (ADR 0001). */
export const channel = {
  kind: "record",
  description: "How the process reaches the custodian.",
  fields: {
    socketPath: { kind: "path", description: "The custodian's Unix socket." },
    keyFile: { kind: "path", description: "The private key of this principal (PEM, PKCS#8, mode 0600)." },
    certificate: { kind: "text", description: "The certificate of this principal (PEM)." },
    custodianCertificate: { kind: "text", description: "The custodian's certificate (PEM), to be pinned." },
  },
} as const;

/** A port: from 1 unless 0 lets the system choose. */
export const port = <Description extends string>(description: Description, minimum: 0 | 1 = 1) =>
  ({ kind: "integer", unit: "port", minimum, maximum: 65_535, description }) as const;

/** Where a worker's meters push to, who hears it elsewhere. */
export const pushTarget = {
  pushHost: { kind: "text", description: "Where meters push to, as the server has it: what a push set-up may name." },
  pushPort: port("Its port.", 0),
} as const;

export const stateDirectory = {
  kind: "path",
  description: "The directory of this process alone (mode 0700).",
} as const;
export const exchangeDirectory = {
  kind: "path",
  description:
    "Files that pass between the processes, world-readable: recipient.json, manufacturer.json, grid.json, addresses.json, shipments/*.mks. Each is written by one process, under another name first and then renamed.",
} as const;
export const database = {
  kind: "text",
  description: "Connection string of this process's own database and role, for `createPool` of @meterkeep/postgres.",
} as const;
export const ownerDatabase = {
  kind: "text",
  description:
    "Connection string of the database's owner, who alone may change the schema. The process brings the schema up to date with it and then makes its password useless; `database` is a role that may do no more than the program does.",
  optional: true,
} as const;
export const utility = { kind: "text", description: "The utility (tenant) that the meters belong to." } as const;
export const island = { kind: "text", description: "The island that the meters belong to." } as const;

export const trunkCertificate = {
  kind: "text",
  description: "That certificate with those above it below the root (PEM).",
} as const;

export const trunkAuthorities = {
  kind: "text",
  description: "The roots of the PKI that certificates of the other end must lead to (PEM).",
} as const;

export const readEvery = {
  kind: "integer",
  unit: "seconds at the source",
  minimum: 60,
  maximum: 2_592_000,
  description:
    "How often each meter is read. What is shorter than the period of its load profile means once a period; a day means one session a day for all its intervals.",
} as const;

export const collectDays = {
  kind: "integer",
  unit: "days",
  minimum: 1,
  maximum: 400,
  description:
    "How far back intervals should be held. Two days at least, and a day can be made whole until the last deadline of its service level.",
} as const;

export const powerQuality = {
  kind: "flag",
  description:
    "Whether power quality is collected as intervals are: a day at a time when it has ended (UTC), of meters that have a profile of it.",
} as const;

export const sessions = {
  kind: "integer",
  unit: "sessions",
  minimum: 1,
  maximum: 20_000,
  description: "How many sessions with meters a process holds at once.",
} as const;

export const announces = {
  kind: "flag",
  description: "Whether readings, changes of trust and what became of commands are announced to consumers.",
} as const;

export const pushDestinations = {
  kind: "list",
  of: { kind: "text" },
  description:
    "Further destinations, as host:port, that push set-ups of meters may name: what the push port is called in their network. Any other is an incident.",
} as const;

export const switchboard = {
  kind: "path",
  description:
    "The Unix socket (mode 0600) over which workers use the connections that the server holds: to concentrators, and from meters that call.",
} as const;
