import {
  type AccessRule,
  Clock,
  DataClass,
  type DateTime,
  type DeviceModel,
  dateTimeAt,
  deviceModel,
  fullAccess,
  mount,
  onlyReading,
  Register,
  readOnly,
  serveProfile,
  serveSecuritySetup,
} from "@meterkeep/dlms";

/** What a sample meter knows besides its keys. */
export interface SampleState {
  wattHours: number;
  time: DateTime;
  name: Uint8Array;
  readonly lastCounter: () => number;
}

export const SETUP = "0.0.43.0.0.255";
const COUNTER = "0.0.43.1.0.255";
const NAME = "0.0.42.0.0.255";
const CLOCK = "0.0.1.0.0.255";
const ENERGY = "1.0.1.8.0.255";
const START = Date.UTC(2026, 10, 21, 12);
const QUARTER_MS = 900_000;

export const SAMPLE_CLIENTS = { public: 16, management: 1, reading: 17, display: 18 } as const;
/** Of the reading client, and the secret of the display's mechanism 4. */
export const PASSWORD = "k9#sample";

export function sampleState(lastCounter: () => number): SampleState {
  return { wattHours: 1_234_567, time: dateTimeAt(START), name: new TextEncoder().encode("MKS0001"), lastCounter };
}

/**
 * A meter with a public and a management client.
 *
 * @param lax lets everybody in as everybody, without proof and from the start: what a meter of no security would do
 */
export function sampleModel(
  publicAccess?: AccessRule,
  lax = false,
  { shortNames = false, signed = false }: { readonly shortNames?: boolean; readonly signed?: boolean } = {},
): DeviceModel<SampleState> {
  const column = (classId: number, logicalName: string) => ({ classId, logicalName, attributeIndex: 2, dataIndex: 0 });
  return deviceModel<SampleState>({
    objects: [
      mount(
        NAME,
        DataClass.serve({
          get: { value: ({ name }) => ({ type: "octet-string", value: name }) },
          set: {
            value: (value, state) =>
              void (value.type === "octet-string" && Object.assign(state, { name: value.value })),
          },
        }),
      ),
      mount(
        CLOCK,
        Clock.serve({
          get: { time: ({ time }) => time, timeZone: () => 60 },
          set: { time: (time, state) => void Object.assign(state, { time }) },
        }),
      ),
      mount(
        ENERGY,
        Register.serve({
          get: {
            value: ({ wattHours }) => ({ type: "double-long-unsigned", value: wattHours }),
            scalerUnit: () => ({ scaler: -3, unit: 30 }),
          },
          call: { reset: (_, state) => void Object.assign(state, { wattHours: 0 }) },
        }),
      ),
      mount(
        "1.0.99.1.0.255",
        serveProfile<SampleState>({
          columns: [column(8, CLOCK), column(3, ENERGY)],
          capturePeriod: QUARTER_MS / 1_000,
          profileEntries: 96,
          deviation: 0,
          rows: () => ({ length: 0, instant: () => 0, writeCell: () => undefined }),
        }),
      ),
      mount(
        COUNTER,
        DataClass.serve({
          get: { value: ({ lastCounter }) => ({ type: "double-long-unsigned", value: lastCounter() }) },
        }),
      ),
      mount(SETUP, serveSecuritySetup<SampleState>()),
    ],
    associations: [
      {
        name: "public",
        clientSap: SAMPLE_CLIENTS.public,
        authentication: { kind: "none" },
        access: publicAccess ?? onlyReading(NAME, CLOCK, COUNTER),
        ...(shortNames ? { shortNameVersion: 2 } : {}),
      },
      { name: "reading", clientSap: SAMPLE_CLIENTS.reading, authentication: { kind: "lls" }, access: readOnly },
      {
        name: "display",
        clientSap: SAMPLE_CLIENTS.display,
        authentication: { kind: "hls", mechanism: "high-sha1" },
        access: readOnly,
      },
      {
        name: "management",
        clientSap: SAMPLE_CLIENTS.management,
        access: fullAccess,
        ...(lax
          ? { authentication: { kind: "none" }, preEstablished: true }
          : {
              authentication: signed ? { kind: "hls", mechanism: "high-ecdsa" } : { kind: "gmac" },
              securitySetup: SETUP,
              ...(shortNames ? { shortNameVersion: 2 } : { associationVersion: 3 }),
            }),
      },
    ],
  });
}
