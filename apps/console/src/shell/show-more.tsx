import type { ReactNode } from "react";

/** The end of a list of which there is more. */
export function ShowMore({
  show,
  isFetching = false,
  children = "Show more",
}: {
  show: () => void;
  isFetching?: boolean;
  children?: ReactNode;
}) {
  return (
    <p className="list-end">
      <button type="button" className="text-button" disabled={isFetching} onClick={show}>
        {children}
      </button>
    </p>
  );
}
