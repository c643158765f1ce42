import type { MeterKind } from "@meterkeep/api";
import { type SystemTitle, systemTitle, systemTitleText } from "@meterkeep/dlms";
import { parseRoute, type Route } from "../route/route.ts";

/** A meter's number within its island: short, so that a reading costs four octets for it. */
export type MeterId = number & { readonly [meterIdBrand]: true };
declare const meterIdBrand: unique symbol;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A meter as the inventory has it. */
export interface Meter {
  readonly id: MeterId;
  readonly systemTitle: SystemTitle;
  /** Upper-case hex of the system title. */
  readonly title: string;
  readonly kind: MeterKind;
  readonly role: "home" | "transformer" | "attached";
  readonly label: string;
  readonly profile: string;
  readonly securitySuite: number;
  readonly manufacturer: string;
  readonly logicalDeviceName: string | undefined;
  readonly serialNumber: string | undefined;
  readonly model: string | undefined;
  readonly hardwareRevision: string | undefined;
  readonly firmware: string | undefined;
  readonly shipment: string | undefined;
  readonly holders: readonly string[];
  readonly feeder: string | undefined;
  /** Where the feeder's meters are taken over; `wan` for meters on no feeder. */
  readonly path: "wan" | "depot";
  readonly transformer: string | undefined;
  /** How it is reached, where it was proven to be last or has said that it is. */
  readonly route: Route | undefined;
  /** Of a meter whose address changes: its host as it was written, as it was proven last, and as it has announced it since. */
  readonly moving:
    | { readonly writtenHost: string; readonly provenHost: string; readonly announcedHost: string | undefined }
    | undefined;
  readonly depotAddress: Address | undefined;
  readonly pushSource: string | undefined;
  readonly pushLayout: string | undefined;
  readonly importedAt: Date;
}

/** A row of `METER_COLUMNS`. */
export interface MeterRow {
  readonly meter_id: number;
  readonly system_title: Uint8Array;
  readonly kind: Meter["kind"];
  readonly role: Meter["role"];
  readonly label: string;
  readonly profile: string;
  readonly security_suite: number;
  readonly manufacturer: string;
  readonly logical_device_name: string | null;
  readonly serial_number: string | null;
  readonly model: string | null;
  readonly hardware_revision: string | null;
  readonly firmware: string | null;
  readonly shipment: string | null;
  readonly holders: readonly string[];
  readonly feeder_id: string | null;
  readonly path: Meter["path"];
  readonly transformer_id: string | null;
  readonly route: string | null;
  readonly moved_host: string | null;
  readonly announced_host: string | null;
  readonly depot_host: string | null;
  readonly depot_port: number | null;
  readonly push_source: string | null;
  readonly push_layout: string | null;
  readonly imported_at: Date;
}

/** What to select of `meters m` (left-joined to `feeders f`) for a {@link MeterRow}. */
export const METER_COLUMNS = `m.meter_id, m.system_title, m.kind, m.role, m.label, m.profile, m.security_suite,
  m.manufacturer, m.logical_device_name, m.serial_number, m.model, m.hardware_revision, m.firmware, m.shipment, m.holders,
  m.feeder_id, coalesce(f.path, 'wan') as path, m.transformer_id, m.route, m.moved_host, m.announced_host, m.depot_host, m.depot_port,
  m.push_source, m.push_layout, m.imported_at`;

/** `meters m` with its feeder `f`; `$1` and `$2` are the place. */
export const METERS_WITH_FEEDER = `meters m left join feeders f
  on (f.utility_id, f.island_id, f.feeder_id) = (m.utility_id, m.island_id, m.feeder_id)`;

export function meterOfRow(row: MeterRow): Meter {
  const octets = systemTitle(new Uint8Array(row.system_title));
  return {
    id: row.meter_id as MeterId,
    systemTitle: octets,
    title: systemTitleText(octets),
    kind: row.kind,
    role: row.role,
    label: row.label,
    profile: row.profile,
    securitySuite: row.security_suite,
    manufacturer: row.manufacturer,
    logicalDeviceName: row.logical_device_name ?? undefined,
    serialNumber: row.serial_number ?? undefined,
    model: row.model ?? undefined,
    hardwareRevision: row.hardware_revision ?? undefined,
    firmware: row.firmware ?? undefined,
    shipment: row.shipment ?? undefined,
    holders: row.holders,
    feeder: row.feeder_id ?? undefined,
    path: row.path,
    transformer: row.transformer_id ?? undefined,
    ...wayOf(row),
    depotAddress: addressOf(row.depot_host, row.depot_port),
    pushSource: row.push_source ?? undefined,
    pushLayout: row.push_layout ?? undefined,
    importedAt: row.imported_at,
  };
}

function wayOf({ route, moved_host, announced_host }: MeterRow): Pick<Meter, "route" | "moving"> {
  const written = route === null ? undefined : parseRoute(route);
  if (written === undefined || written.kind === "concentrator" || written.kind === "dial-in" || written.moves !== true)
    return { route: written, moving: undefined };
  const announcedHost = announced_host ?? undefined;
  const provenHost = moved_host ?? written.host;
  return {
    route: { ...written, host: announcedHost ?? provenHost },
    moving: { writtenHost: written.host, provenHost, announcedHost },
  };
}

function addressOf(host: string | null, port: number | null): Address | undefined {
  return host === null || port === null ? undefined : { host, port };
}
