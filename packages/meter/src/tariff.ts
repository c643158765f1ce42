import {
  ActivityCalendar,
  type CalendarTables,
  type DateTime,
  dateTime,
  decode,
  encode,
  fromHex,
  type SpecialDays,
  SpecialDaysTable,
  TariffCalendar,
  toHex,
} from "@meterkeep/dlms";
import type { MeterSettings, StoredTariff } from "./nvm/settings.ts";

/** A meter, as far as its tariff needs it. */
export interface TariffOwner {
  readonly settings: MeterSettings;
  changeSettings(settings: MeterSettings): void;
  clockTime(at: number): DateTime;
}

const CODECS = ActivityCalendar.attributes;
const TARIFF_SCRIPTS = "0.0.10.0.100.255";
const [HIGH, LOW] = [1, 2];

/** Calendar and special days of one meter. They are its memory: a power cut changes nothing. */
export class MeterTariff {
  readonly calendar: TariffCalendar;
  readonly #owner: TariffOwner;
  #specialDays: SpecialDays;

  constructor(owner: TariffOwner) {
    this.#owner = owner;
    const { tariff } = owner.settings;
    this.#specialDays =
      tariff === undefined ? [] : decode(SpecialDaysTable.attributes.entries.codec, fromHex(tariff.specialDays));
    this.calendar = new TariffCalendar({
      active: tariff === undefined ? FACTORY : tablesOf(tariff.active),
      passive: tariff === undefined ? FACTORY : tablesOf(tariff.passive),
      specialDays: () => this.#specialDays,
      // The registers of both rates follow from the load model; a calendar here only says what is in force.
      run: () => undefined,
      localTime: (instant) => owner.clockTime(instant / 1000),
      instantOf: () => undefined,
    });
    if (tariff !== undefined)
      this.calendar.activation = decode(CODECS.activatePassiveCalendarTime.codec, fromHex(tariff.activation));
  }

  get specialDays(): SpecialDays {
    return this.#specialDays;
  }

  set specialDays(days: SpecialDays) {
    this.#specialDays = days;
    this.keep();
  }

  /** Writes down what is set now. */
  keep(): void {
    const { active, passive, activation } = this.calendar;
    const tariff: StoredTariff = {
      active: octetsOf(active),
      passive: octetsOf(passive),
      activation: toHex(encode(CODECS.activatePassiveCalendarTime.codec, activation)),
      specialDays: toHex(encode(SpecialDaysTable.attributes.entries.codec, this.#specialDays)),
    };
    this.#owner.changeSettings({ ...this.#owner.settings, tariff });
  }
}

function octetsOf({ calendarName, seasonProfile, weekProfileTable, dayProfileTable }: CalendarTables): string[] {
  return [
    encode(CODECS.calendarNameActive.codec, calendarName),
    encode(CODECS.seasonProfileActive.codec, seasonProfile),
    encode(CODECS.weekProfileTableActive.codec, weekProfileTable),
    encode(CODECS.dayProfileTableActive.codec, dayProfileTable),
  ].map(toHex);
}

function tablesOf([name = "", seasons = "", weeks = "", days = ""]: readonly string[]): CalendarTables {
  return {
    calendarName: decode(CODECS.calendarNameActive.codec, fromHex(name)),
    seasonProfile: decode(CODECS.seasonProfileActive.codec, fromHex(seasons)),
    weekProfileTable: decode(CODECS.weekProfileTableActive.codec, fromHex(weeks)),
    dayProfileTable: decode(CODECS.dayProfileTableActive.codec, fromHex(days)),
  };
}

const text = (value: string) => new Uint8Array(Buffer.from(value, "latin1"));
const at = (hour: number) => ({ hour, minute: 0, second: 0, hundredths: 0 });

/** High rate from six to ten in the evening on every day of the year. */
const FACTORY: CalendarTables = {
  calendarName: text("FACTORY"),
  seasonProfile: [
    { seasonProfileName: text("1"), seasonStart: dateTime({ month: 1, dayOfMonth: 1 }), weekName: text("1") },
  ],
  weekProfileTable: [
    {
      weekProfileName: text("1"),
      ...{ monday: 1, tuesday: 1, wednesday: 1, thursday: 1, friday: 1, saturday: 1, sunday: 1 },
    },
  ],
  dayProfileTable: [
    {
      dayId: 1,
      daySchedule: [
        { startTime: at(0), scriptLogicalName: TARIFF_SCRIPTS, scriptSelector: LOW },
        { startTime: at(6), scriptLogicalName: TARIFF_SCRIPTS, scriptSelector: HIGH },
        { startTime: at(22), scriptLogicalName: TARIFF_SCRIPTS, scriptSelector: LOW },
      ],
    },
  ],
};
