import type { LinkFacts } from "../link/assembler.ts";
import type { P1Frame } from "../link/p1.ts";
import { type Body, type BodyContext, interpretBody } from "./body.ts";
import { distance, doubtOf, timeText } from "./clock.ts";
import type { Notification } from "./content.ts";
import { identifyMeter } from "./identity.ts";
import type { Layout } from "./layout.ts";
import { makerOf } from "./maker.ts";
import { capturedOf, readP1Body } from "./p1-body.ts";
import type { SecurityFacts } from "./security-facts.ts";
import type { Telegram } from "./telegram.ts";
import { printableText } from "./value.ts";
import { type TelegramWarning, warning } from "./warning.ts";

/** What is known of a telegram besides its values. */
export interface TelegramContext {
  readonly offset: number;
  readonly link: LinkFacts;
  readonly security: SecurityFacts;
  readonly systemTitle: Uint8Array | undefined;
  readonly warnings: readonly TelegramWarning[];
  readonly layouts: readonly Layout[];
  readonly chosen: Layout | undefined;
}

/** Clocks of one telegram that are further apart than this were not set by the same hand. */
const CLOCKS_AGREE_MILLISECONDS = 15 * 60 * 1000;

/** Makes a telegram of a notification, or of a value that came without one. */
export function interpretNotification(
  notification: Pick<Notification, "value"> & Partial<Notification>,
  context: TelegramContext,
): Telegram {
  const { link, systemTitle } = context;
  const { invokeId, dateTime, value } = notification;
  const bodyContext: BodyContext = {
    maker: systemTitle === undefined ? undefined : makerOf(printableText(systemTitle.subarray(0, 3)) ?? "")?.flag,
    hdlc:
      link.framing === "hdlc" && link.destination !== undefined && link.source !== undefined
        ? { destination: link.destination, source: link.source }
        : undefined,
    invokeId,
    layouts: context.layouts,
    chosen: context.chosen,
  };
  const body = interpretBody(value, bodyContext);
  const captured = body.clock ?? dateTime;
  const time = captured === undefined ? null : (timeText(captured) ?? null);
  const readings = body.readings.map((reading) => ({ ...reading, time: reading.time ?? time }));
  return {
    meter: identifyMeter(systemTitle, readings, body.listId),
    security: context.security,
    link: { ...link, offset: context.offset },
    notification: { invokeId: invokeId ?? null, time: dateTime === undefined ? null : (timeText(dateTime) ?? null) },
    layout: { kind: body.kind, id: body.layout?.id ?? null, title: body.layout?.title ?? null },
    readings,
    raw: body.raw,
    objects: body.objects,
    warnings: [...context.warnings, ...clockWarnings(notification, body), ...body.warnings],
  };
}

/** Makes a telegram of P1 text. */
export function interpretP1(frame: P1Frame, context: TelegramContext): Telegram {
  const body = readP1Body(frame.text);
  const warnings = [...context.warnings];
  if (frame.checksum === "unverifiable") {
    const message = "the checksum does not hold; the line ends show that the text was changed since it was sent";
    warnings.push(warning("checksum-unverifiable", message));
  }
  if (body.raw.length > 0)
    warnings.push(
      warning("not-understood", `${body.raw.length} lines carry no OBIS code: they are shown as they came`),
    );
  return {
    meter: identifyMeter(context.systemTitle, body.readings, body.identification),
    security: context.security,
    link: { ...context.link, checksum: frame.checksum, offset: context.offset },
    notification: { invokeId: null, ...capturedOf(body.time) },
    layout: { kind: "p1", id: null, title: null },
    readings: body.readings,
    raw: body.raw,
    objects: [],
    warnings,
  };
}

/** Whether the clock among the values and the one of the notification tell different times. */
export function clocksDisagree(telegram: Telegram): boolean {
  return telegram.warnings.some(({ code }) => code === "clock-disagreement");
}

function clockWarnings(notification: Partial<Notification>, body: Body): TelegramWarning[] {
  const warnings: TelegramWarning[] = [];
  const outer = notification.dateTime;
  const inner = body.clock;
  const innerDoubt = inner === undefined ? undefined : doubtOf(inner);
  const outerDoubt = outer === undefined ? undefined : doubtOf(outer);
  if (innerDoubt !== undefined) warnings.push(warning("clock-in-doubt", `the clock among the values ${innerDoubt}`));
  else if (outerDoubt !== undefined)
    warnings.push(warning("clock-in-doubt", `the clock of the notification ${outerDoubt}`));
  const apart = inner === undefined || outer === undefined ? undefined : distance(inner, outer);
  if (apart !== undefined && apart > CLOCKS_AGREE_MILLISECONDS && inner !== undefined && outer !== undefined) {
    const message = `the telegram was sent at ${timeText(outer)} and its values say ${timeText(inner)}: one of them was changed`;
    warnings.push(warning("clock-disagreement", message));
  }
  return warnings;
}
