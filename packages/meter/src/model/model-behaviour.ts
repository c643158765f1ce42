import {
  type CaptureObject,
  CLOCK_COLUMN,
  Disconnector,
  dateTimeOctets,
  encode,
  ImageReceiver,
  type ProfileRows,
  type ServedClass,
  serveClock,
  serveDisconnector,
  serveImageTransfer,
  serveProfile,
  type Writer,
} from "@meterkeep/dlms";
import type { MeterFile, ModelledObject } from "./model-file.ts";
import type { ModelState } from "./model-state.ts";

/** What an object of a model does, where its class has a behaviour; undefined where it only holds values. */
export function behaviourOf(object: ModelledObject, file: MeterFile): ServedClass<ModelState> | undefined {
  if (object.classId === PROFILE_CLASS) return profile(object, file);
  return BEHAVIOURS[object.classId];
}

const IMAGE_BLOCK_BYTES = 128;
const MAX_IMAGE_BYTES = 1024 * 1024;
/** A remote reconnection closes at once. */
const CONTROL_MODE = 2;

/** Behaviours that need nothing of the model, by class_id. */
const BEHAVIOURS: Readonly<Record<number, ServedClass<ModelState>>> = {
  8: serveClock<ModelState>((meter) => meter.clock),
  18: serveImageTransfer<ModelState>((meter, { logicalName }) =>
    meter.keepsake(
      `image ${logicalName}`,
      () =>
        new ImageReceiver({
          blockBytes: IMAGE_BLOCK_BYTES,
          maxImageBytes: MAX_IMAGE_BYTES,
          // A model says nothing of what an image of its maker looks like.
          verify: (identifier, image) => [
            {
              imageToActivateSize: image.length,
              imageToActivateIdentification: identifier,
              imageToActivateSignature: new Uint8Array(0),
            },
          ],
          activate: () => true,
        }),
    ),
  ),
  70: serveDisconnector<ModelState>((meter, { logicalName }) =>
    meter.keepsake(`disconnector ${logicalName}`, () => new Disconnector({ mode: CONTROL_MODE })),
  ),
};

const PROFILE_CLASS = 7;
const REGISTER_CLASS = 3;
const DATA_CLASS = 1;
/** Rows that a profile shows, as if it had been running for a while. */
const ROWS = 24;
const MOST_COLUMNS = 4;
const CAPTURE_SECONDS = 900;
/** Group C and D of event logs: 99.98. */
const LOG = /^\d+\.\d+\.99\.98\.(\d+)\./;

/**
 * A profile of clock and values: an event log of the last event code, any other of the first registers. Models do not
 * say what their profiles capture.
 */
function profile({ logicalName }: ModelledObject, file: MeterFile): ServedClass<ModelState> {
  const log = LOG.exec(logicalName);
  const isWanted = ({ classId, logicalName: name }: ModelledObject): boolean =>
    log === null ? classId === REGISTER_CLASS : classId === DATA_CLASS && name === `0.0.96.11.${log[1]}.255`;
  const columns: CaptureObject[] = file.objects
    .filter((object) => isWanted(object) && isReadable(object))
    .slice(0, MOST_COLUMNS)
    .map(({ classId, logicalName: name }) => ({ classId, logicalName: name, attributeIndex: 2, dataIndex: 0 }));
  const clock = file.objects.find(({ classId }) => classId === CLOCK_COLUMN.classId);
  const time = { ...CLOCK_COLUMN, logicalName: clock?.logicalName ?? CLOCK_COLUMN.logicalName };
  const all = [time, ...columns];
  return serveProfile<ModelState>({
    columns: all,
    capturePeriod: log === null ? CAPTURE_SECONDS : 0,
    profileEntries: ROWS,
    deviation: 0,
    rows: (meter) => rowsOf(meter, all),
  });
}

function isReadable({ attributes }: ModelledObject): boolean {
  return attributes?.find(({ index }) => index === 2)?.readable ?? true;
}

function rowsOf(meter: ModelState, columns: readonly CaptureObject[]): ProfileRows {
  const last = Math.floor(meter.clock.now() / 1000 / CAPTURE_SECONDS);
  const instant = (row: number) => (last - ROWS + 1 + row) * CAPTURE_SECONDS * 1000;
  return {
    length: ROWS,
    instant,
    writeCell(writer: Writer, row: number, column: number) {
      const { classId } = columns[column] as CaptureObject;
      if (classId !== CLOCK_COLUMN.classId) {
        writer.octets(meter.tree.capture(columns[column] as CaptureObject));
        return;
      }
      const octets = encode(dateTimeOctets, meter.clock.time(instant(row)));
      writer.unsigned8(OCTET_STRING_TAG);
      writer.length(octets.length);
      writer.octets(octets);
    },
  };
}

const OCTET_STRING_TAG = 9;
