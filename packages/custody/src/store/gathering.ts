/** How a committer waits for more to write in one commit: calls back when it is enough, and is told when nobody waits any more. */
export type Gathering = (enough: () => void) => () => void;

/** Waits so many milliseconds. */
export function gatheringFor(milliseconds: number): Gathering {
  return (enough) => {
    const timer = setTimeout(enough, milliseconds);
    return () => clearTimeout(timer);
  };
}
