/**
 * The settings of the embedded server. It has to leave most of the machine's memory to others (about 150 MB with its
 * backends), and to lose nothing that was committed: `fsync`, `full_page_writes` and `synchronous_commit` stay on.
 */
export const SERVER_SETTINGS = {
  listen_addresses: "",
  unix_socket_permissions: "0777",
  max_connections: "170",
  shared_buffers: "48MB",
  work_mem: "4MB",
  maintenance_work_mem: "32MB",
  wal_buffers: "4MB",
  wal_level: "minimal",
  max_wal_senders: "0",
  min_wal_size: "64MB",
  max_wal_size: "512MB",
  checkpoint_completion_target: "0.9",
  // One process fewer each than the defaults, which are made for servers that have a machine to themselves.
  io_method: "sync",
  max_worker_processes: "2",
  max_parallel_workers: "0",
  autovacuum_max_workers: "2",
  // A town is imported and taken over within a minute, and the tables of work change by the hundred a second.
  autovacuum_naptime: "15s",
  jit: "off",
  huge_pages: "off",
  password_encryption: "scram-sha-256",
  timezone: "UTC",
  log_timezone: "UTC",
  log_checkpoints: "off",
  log_line_prefix: "%m [%p] %q%u@%d ",
  cluster_name: "meterkeep",
} as const;

/** For databases that live as long as a test process: nothing survives a crash of the machine, and nothing has to. */
export const THROWAWAY_SETTINGS = {
  fsync: "off",
  full_page_writes: "off",
  synchronous_commit: "off",
  autovacuum: "off",
  shared_buffers: "32MB",
} as const;
