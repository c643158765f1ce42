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
