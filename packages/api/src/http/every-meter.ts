import type { MeterList } from "./meter.ts";

/** As many as a page of meters may have. */
const PAGE_METERS = 5_000;

/** All meters that fit a question, over pages of as many as may be; `page` asks for one of them. */
export async function everyMeter(
  page: (query: { readonly after: string; readonly limit: number }) => Promise<MeterList>,
): Promise<MeterList["meters"]> {
  const meters: MeterList["meters"] = [];
  for (let after: string | undefined = "0"; after !== undefined; ) {
    const { meters: more, next }: MeterList = await page({ after, limit: PAGE_METERS });
    meters.push(...more);
    after = next;
  }
  return meters;
}
