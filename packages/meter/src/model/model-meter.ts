import type { KeyObject } from "node:crypto";
import { createSecretKey } from "node:crypto";
import {
  type AssociationDefinition,
  CosemServer,
  type Device,
  type DeviceModel,
  dateTime,
  deviceModel,
  fullAccess,
  MeterClock,
  mount,
  ObjectTree,
  type ServerOptions,
} from "@meterkeep/dlms";
import { constantTimeEqual, nodeCiphers, nodeKeyWrap, nodeRandom } from "@meterkeep/dlms-node";
import { ableToLie } from "../lying.ts";
import { SECURITY_SETUP } from "../well-known.ts";
import { behaviourOf } from "./model-behaviour.ts";
import type { MeterFile } from "./model-file.ts";
import type { ModelSecurity } from "./model-security.ts";
import type { ModelState } from "./model-state.ts";
import { modelledClass, type PreparedObject } from "./modelled-class.ts";
import { fitShortNames } from "./short-name-room.ts";

/** A client of a model meter. */
export interface ModelClient {
  /** Its service access point. */
  readonly sap: number;
  readonly authentication: "none" | "lls" | "gmac";
}

/** Service access points that makers and companion specifications use. */
const COMMON_SAPS = [1, 2, 16, 17, 18, 19, 32, 48, 64, 80, 96, 100, 102];
/** The clients that a model is served to unless told otherwise: everybody, without security. */
export const MODEL_CLIENTS: readonly ModelClient[] = COMMON_SAPS.map((sap) => ({ sap, authentication: "none" }));

/** What a model meter is put together from. */
export interface ModelMeterParts {
  readonly file: MeterFile;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** `MODEL_CLIENTS` unless given. */
  readonly clients?: readonly ModelClient[];
  /** The password of clients with low level security; without one they cannot associate. */
  readonly password?: string;
  /** The security of clients with GMAC; without it they cannot associate. */
  readonly security?: ModelSecurity;
  /** What its server does beside its model: windows of general blocks, quirks of its clients. */
  readonly options?: ServerOptions;
}

/** Model meters live in Universal Time until somebody sets their time zone. */
const UNIVERSAL_TIME = {
  timeZone: 0,
  daylightSavingsBegin: dateTime({}),
  daylightSavingsEnd: dateTime({}),
  daylightSavingsDeviation: 60,
  daylightSavingsEnabled: false,
};

/** A reserved name of the current association, which the server keeps itself. */
const CURRENT_ASSOCIATION = "0.0.40.0.0.255";
const ASSOCIATION_LN = 15;
const ASSOCIATION_SN = 12;

/**
 * A virtual meter made from the object model of a real one: its objects, classes, access rights and short names, with
 * values of the right types. What is written stays; clocks run, profiles have rows.
 */
export class ModelMeter implements ModelState {
  readonly file: MeterFile;
  readonly objects: readonly PreparedObject[];
  readonly server: CosemServer<KeyObject, ModelState>;
  /** The meter's own view of its objects. */
  readonly tree: ObjectTree<ModelState>;
  /** What is not served as its class says, a sentence each. */
  readonly notices: readonly string[];
  /** One clock, whatever objects show it. */
  readonly clock: MeterClock;
  /** What clients write and call is acknowledged, and not done. */
  lies = false;
  readonly #written = new Map<string, Uint8Array>();
  readonly #keepsakes = new Map<string, unknown>();

  constructor(parts: ModelMeterParts) {
    const { file } = parts;
    this.file = file;
    this.clock = new MeterClock({ now: parts.now, settings: UNIVERSAL_TIME });
    const prepared = file.objects
      .filter(({ classId, logicalName }) => !isCurrentAssociation(file, classId, logicalName))
      .map((object) => modelledClass(object, behaviourOf(object, file)));
    this.objects = file.referencing === "short-name" ? fitShortNames(prepared) : prepared;
    this.notices = [...file.notices, ...this.objects.flatMap(({ notices }) => notices)];
    const mounted = this.objects.map(({ object, served }) =>
      ableToLie(mount(object.logicalName, served, object.baseName), () => this.lies),
    );
    this.tree = new ObjectTree(mounted, this);
    const associations = (parts.clients ?? MODEL_CLIENTS).map((client) => associationFor(file, client));
    const model: DeviceModel<ModelState> = deviceModel({ objects: mounted, associations });
    this.server = new CosemServer(model, this.#device(parts), parts.options);
  }

  /** What a client has written to an attribute. */
  written(key: string): Uint8Array | undefined {
    return this.#written.get(key);
  }

  /** Keeps what a client has written. */
  keep(key: string, octets: Uint8Array): void {
    this.#written.set(key, octets);
  }

  /** What an object keeps for itself, made when it is first asked for. */
  keepsake<T>(key: string, make: () => T): T {
    const kept = this.#keepsakes.get(key) as T | undefined;
    if (kept !== undefined) return kept;
    const made = make();
    this.#keepsakes.set(key, made);
    return made;
  }

  #device({ password, security }: ModelMeterParts): Device<KeyObject, ModelState> {
    const expected = password === undefined ? undefined : Buffer.from(password);
    return {
      state: this,
      ciphers: nodeCiphers,
      keyWrap: nodeKeyWrap,
      importKey: (octets) => createSecretKey(octets),
      random: nodeRandom,
      securitySetup: () => security,
      checkPassword: (_, given) => expected !== undefined && constantTimeEqual(expected, given),
      setPassword: () => false,
    };
  }
}

function associationFor(file: MeterFile, { sap, authentication }: ModelClient): AssociationDefinition {
  const current = file.objects.find(({ classId, logicalName }) => isCurrentAssociation(file, classId, logicalName));
  return {
    name: `client ${sap}`,
    clientSap: sap,
    authentication: { kind: authentication },
    ...(authentication === "gmac" ? { securitySetup: SECURITY_SETUP } : {}),
    access: fullAccess,
    ...(file.referencing === "short-name"
      ? { shortNameVersion: versionOf(current?.version, [0, 1, 2, 3, 4]) }
      : { associationVersion: versionOf(current?.version, [0, 1, 2, 3]) }),
  };
}

/** The version that the model has, as far as the server knows it. */
function versionOf<const V extends number>(version: number | undefined, known: readonly V[]): V {
  return known.find((one) => one === version) ?? (known[1] as V);
}

/** The server keeps the association that it is asked through itself. */
function isCurrentAssociation({ referencing }: MeterFile, classId: number, logicalName: string): boolean {
  const own = referencing === "short-name" ? ASSOCIATION_SN : ASSOCIATION_LN;
  return classId === own && logicalName === CURRENT_ASSOCIATION;
}
