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
} from "@meterkeep/dlms";
import { constantTimeEqual, nodeCiphers, nodeKeyWrap, nodeRandom } from "@meterkeep/dlms-node";
import { behaviourOf } from "./model-behaviour.ts";
import type { MeterFile } from "./model-file.ts";
import type { ModelState } from "./model-state.ts";
import { modelledClass, type PreparedObject } from "./modelled-class.ts";

/** The clients that a model is served to unless told otherwise: those that makers and companion specifications use. */
export const MODEL_CLIENTS: readonly number[] = [1, 2, 16, 17, 18, 19, 32, 48, 64, 80, 96, 100, 102];

/** What a model meter is put together from. */
export interface ModelMeterParts {
  readonly file: MeterFile;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Service access points of its clients; `MODEL_CLIENTS` unless given. */
  readonly clients?: readonly number[];
  /** The password of low level security; without one everybody may associate. */
  readonly password?: string;
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
  readonly #written = new Map<string, Uint8Array>();

  constructor(parts: ModelMeterParts) {
    const { file } = parts;
    this.file = file;
    this.clock = new MeterClock({ now: parts.now, settings: UNIVERSAL_TIME });
    this.objects = file.objects
      .filter(({ classId, logicalName }) => !isCurrentAssociation(file, classId, logicalName))
      .map((object) => modelledClass(object, behaviourOf(object, file)));
    this.notices = [...file.notices, ...this.objects.flatMap(({ notices }) => notices)];
    const mounted = this.objects.map(({ object, served }) => mount(object.logicalName, served, object.baseName));
    this.tree = new ObjectTree(mounted, this);
    const associations = (parts.clients ?? MODEL_CLIENTS).map((clientSap) =>
      associationFor(file, clientSap, parts.password !== undefined),
    );
    const model: DeviceModel<ModelState> = deviceModel({ objects: mounted, associations });
    this.server = new CosemServer(model, this.#device(parts.password));
  }

  /** What a client has written to an attribute. */
  written(key: string): Uint8Array | undefined {
    return this.#written.get(key);
  }

  /** Keeps what a client has written. */
  keep(key: string, octets: Uint8Array): void {
    this.#written.set(key, octets);
  }

  #device(password: string | undefined): Device<KeyObject, ModelState> {
    const expected = password === undefined ? undefined : Buffer.from(password);
    return {
      state: this,
      ciphers: nodeCiphers,
      keyWrap: nodeKeyWrap,
      importKey: (octets) => createSecretKey(octets),
      random: nodeRandom,
      securitySetup: () => undefined,
      checkPassword: (_, given) => expected !== undefined && constantTimeEqual(expected, given),
      setPassword: () => false,
    };
  }
}

function associationFor(file: MeterFile, clientSap: number, lls: boolean): AssociationDefinition {
  const current = file.objects.find(({ classId, logicalName }) => isCurrentAssociation(file, classId, logicalName));
  return {
    name: `client ${clientSap}`,
    clientSap,
    authentication: { kind: lls ? "lls" : "none" },
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
