/** The security setup of management and reading clients. */
export const SECURITY_SETUP = "0.0.43.0.0.255" as const;
/** The counter object that belongs to it. */
export const COUNTER_OBJECT = "0.0.43.1.0.255";
/** A security setup beside the first, and its counter object. */
export const furtherSetupName = (setup: number) => `0.0.43.0.${setup}.255` as const;
export const furtherCounterName = (setup: number) => `0.0.43.1.${setup}.255` as const;
/** The logical device. */
export const SERVER_SAP = 1;
/** Logical device name. */
export const LOGICAL_DEVICE_NAME = "0.0.42.0.0.255";
/** Alarm register 1 (Blue Book, abstract objects): one bit an alarm. */
export const ALARM_REGISTER = "0.0.97.98.0.255";
