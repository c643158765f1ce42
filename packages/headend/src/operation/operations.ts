import { Wrong } from "@meterkeep/guard";
import { HeadEndError } from "../errors.ts";
import type { FirmwareShelf } from "../firmware/shelf.ts";
import { activityCalendarOperation } from "./activity-calendar.ts";
import { clockOperation } from "./clock.ts";
import { configurationDriftOperation, configurationOperation } from "./configuration.ts";
import { gridLimitOperation, gridRestoreOperation } from "./grid-response.ts";
import { imageActivateOperation } from "./image-activate.ts";
import { imageScheduleOperation } from "./image-schedule.ts";
import { imageTransferOperation } from "./image-transfer.ts";
import { limiterOperation } from "./limiter.ts";
import { injectionControlOperation, loadControlOperation } from "./load-control.ts";
import { mBusInstallOperation } from "./m-bus-install.ts";
import { mBusValueOperation } from "./m-bus-value.ts";
import { objectListOperation } from "./object-list.ts";
import type { Operation } from "./operation.ts";
import { type OwnDestinations, pushSetupOperation } from "./push-setup.ts";
import { attributesOperation, eventsOperation, profileOperation } from "./read.ts";
import { registersOperation } from "./read-registers.ts";
import { specialDaysOperation } from "./special-days.ts";

/** What of this head-end its operations need to know. */
export interface OperationWorld {
  /** Where meters may be told to push to. */
  readonly destinations: OwnDestinations;
  readonly shelf: FirmwareShelf;
}

/**
 * Everything that a head-end does with meters, by name. What switches a supply is the campaigns' own.
 */
export function meterOperations({ destinations, shelf }: OperationWorld): ReadonlyMap<string, Operation> {
  const all: readonly Operation[] = [
    registersOperation as Operation,
    attributesOperation,
    profileOperation,
    eventsOperation,
    objectListOperation,
    clockOperation,
    configurationOperation,
    configurationDriftOperation,
    activityCalendarOperation,
    specialDaysOperation,
    limiterOperation,
    loadControlOperation,
    injectionControlOperation as Operation,
    gridLimitOperation as Operation,
    gridRestoreOperation as Operation,
    pushSetupOperation(destinations),
    mBusInstallOperation,
    mBusValueOperation as Operation,
    imageTransferOperation(shelf),
    imageActivateOperation(shelf),
    imageScheduleOperation(shelf),
  ];
  return new Map(all.map((each) => [each.name, each]));
}

/** Reads the parameters of an operation from JSON. @throws HeadEndError `operation-invalid` */
export function parametersOf<P>(operation: Operation<P>, json: unknown): P {
  const read = operation.parameters(json);
  if (read instanceof Wrong) throw new HeadEndError("operation-invalid", `${operation.name}: ${read.why}`);
  return read;
}
