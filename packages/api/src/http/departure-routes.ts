/** The routes of meters that leave: a part of the table in `routes.ts`. */
import { Type } from "typebox";
import { Departure, DepartureList, DepartureOrder } from "./departure.ts";
import type { Route } from "./route.ts";
import { SystemTitleText } from "./scalars.ts";

export const DEPARTURE_ROUTES = {
  departMeters: {
    method: "POST",
    path: "/departures",
    access: "anyone",
    scope: "request",
    stepUp: true,
    tag: "meters",
    status: 200,
    summary:
      "Retire meters, or give them to another owner or back: planned until people have signed it at the custodian, done when it is asked for again",
    body: DepartureOrder,
    response: Departure,
  },
  listDepartures: {
    method: "GET",
    path: "/departures",
    access: "anyone",
    scope: "read",
    tag: "meters",
    status: 200,
    summary: "List departures that wait for people or are done, newest first",
    query: Type.Object({ meter: Type.Optional(SystemTitleText) }, { additionalProperties: false }),
    response: DepartureList,
  },
} as const satisfies Record<string, Route>;
