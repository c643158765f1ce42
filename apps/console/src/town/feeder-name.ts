import { useQuery } from "@tanstack/react-query";
import { overviewQuery } from "../api/queries.ts";

/** How a feeder is called: by the name that the town's picture has, with its id; one that is not of the grid by its id. */
export function useFeederName(): (id: string) => string {
  const { data } = useQuery(overviewQuery);
  const feeders: readonly { readonly id: string; readonly name: string }[] | undefined =
    data?.grid?.feeders ?? data?.feeders;
  return (id) => {
    const name = feeders?.find((feeder) => feeder.id === id)?.name;
    return name === undefined || name === id ? id : `${name} (${id})`;
  };
}
