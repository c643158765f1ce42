/** Where a meter belongs, as its line has it. */
interface Belonging {
  readonly model: string | null;
  readonly firmware: string | null;
  readonly route: string | null;
}

/** The cohorts of a meter, by the names that findings have of them: what runs on it, and what carries its octets. */
export function cohortsOf({ model, firmware, route }: Belonging): readonly string[] {
  const concentrator = route === null ? undefined : /^concentrator:\/\/([^/]+)\//.exec(route)?.[1];
  return [
    ...(firmware === null ? [] : [`firmware ${model ?? "of no model"} ${firmware}`]),
    ...(concentrator === undefined ? [] : [`concentrator ${concentrator}`]),
  ];
}
