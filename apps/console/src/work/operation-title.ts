/** Operations as people choose them from a list: what is done, without what it is done with. */
const TITLES: Readonly<Record<string, string>> = {
  registers: "read registers",
  attributes: "read attributes of objects",
  profile: "read a load profile",
  events: "read the event logs",
  "object-list": "read the list of its objects",
  clock: "set the clock",
  configuration: "write a configuration",
  "configuration-drift": "compare with a configuration",
  "activity-calendar": "write the tariff calendar",
  "special-days": "write special days",
  limiter: "set the limiter",
  "load-control": "switch a load",
  "injection-control": "switch injection",
  "grid-limit": "limit for the grid (§ 14a)",
  "grid-restore": "end a limit for the grid",
  "push-setup": "set where it pushes to",
  "m-bus-install": "install an M-Bus device",
  "m-bus-value": "read an M-Bus device",
  "image-transfer": "transfer firmware",
  "image-activate": "activate firmware",
  "image-schedule": "activate firmware at a time",
};

/** What an operation is called on the page; one that is not known here, by its name. */
export function operationTitle(name: string): string {
  return TITLES[name] ?? name.replaceAll("-", " ");
}
