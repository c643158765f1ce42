/** Options of every command that speaks with a running Meterkeep. */
export interface OperatorOptions {
  readonly state?: string;
  readonly json?: boolean;
}
