/** The security setup of management and reading clients. */
export const SECURITY_SETUP = "0.0.43.0.0.255" as const;
/** The counter object that belongs to it. */
export const COUNTER_OBJECT = "0.0.43.1.0.255";
